"""A checkpoint over the OpenAI-compatible interface: what it answers, what it refuses, who can drive it."""

import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from evals.asking.models import Answer
from evals.serving.app import Served, app
from evals.store import COMPLETIONS_FILE
from tests.conftest import missing
from tests.http_servers import serving_app
from tests.tiny_runs import NEW_TOKENS, TEMPLATE, write_run

CHAT, TEXT = "/v1/chat/completions", "/v1/completions"
START_S = 60.0


def words(prompts: Sequence[str], temperature: float, seed: int) -> list[Answer]:
    return [
        Answer(text=f"one two three {seed if temperature else ''}".strip(), truncated=False) for _ in prompts
    ]


@pytest.fixture
def client() -> Iterator[httpx.Client]:
    served = Served(
        name="tiny",
        system="Be brief.",
        max_prompt_tokens=20,
        rows=4,
        generate=words,
        length=lambda prompt: len(prompt.split()),
        tokens=lambda text: len(text.split()),
        cut=lambda text, n: (" ".join(text.split()[:n]), len(text.split()) > n),
    )
    with serving_app(app(served)) as url, httpx.Client(base_url=url) as client:
        yield client


def user(text: str = "hi", **fields: object) -> dict[str, object]:
    return {"messages": [{"role": "user", "content": text}], **fields}


def test_a_chat_is_answered_with_its_usage(client: httpx.Client) -> None:
    body = client.post(CHAT, json=user(model="tiny", temperature=0)).json()

    assert body["choices"][0]["message"] == {"role": "assistant", "content": "one two three"}
    assert body["choices"][0]["finish_reason"] == "stop"
    assert body["usage"]["completion_tokens"] == 3
    assert body["usage"]["total_tokens"] == body["usage"]["prompt_tokens"] + 3


def test_a_token_budget_cuts_and_says_so(client: httpx.Client) -> None:
    choice = client.post(CHAT, json=user(temperature=0, max_tokens=2)).json()["choices"][0]

    assert choice["message"]["content"] == "one two"
    assert choice["finish_reason"] == "length"


def test_a_stop_text_ends_the_answer_before_it(client: httpx.Client) -> None:
    choice = client.post(TEXT, json={"prompt": "x", "temperature": 0, "stop": [" three", ""]}).json()[
        "choices"
    ][0]

    assert choice["text"] == "one two"
    assert choice["finish_reason"] == "stop"


def test_a_seed_reaches_the_model(client: httpx.Client) -> None:
    assert client.post(TEXT, json={"prompt": ["x"], "seed": 11}).json()["choices"][0]["text"].endswith("11")


PARTS = [{"type": "text", "text": "he"}, {"type": "text", "text": "llo"}]


@pytest.mark.parametrize(
    "fields",
    [
        {"max_completion_tokens": 2, "max_tokens": None},
        {"max_completion_tokens": None, "max_tokens": 2},
        {"max_completion_tokens": 2, "max_tokens": 3, "user": "me", "store": False, "metadata": {"a": "b"}},
        {
            "max_tokens": 2,
            "n": 1,
            "stream": False,
            "top_p": 1.0,
            "logprobs": None,
            "tools": None,
            "seed": None,
        },
        {"max_tokens": 2, "messages": [{"role": "user", "content": PARTS}]},
        {
            "max_tokens": 2,
            "messages": [{"role": "developer", "content": "Be brief."}, {"role": "user", "content": PARTS}],
        },
    ],
)
def test_the_shapes_that_other_clients_send_are_taken(
    client: httpx.Client, fields: Mapping[str, object]
) -> None:
    response = client.post(CHAT, json=user(temperature=0, **fields) | fields)

    assert response.json()["choices"][0]["message"]["content"] == "one two"


def test_a_temperature_of_null_is_that_of_the_interface(client: httpx.Client) -> None:
    text = client.post(TEXT, json={"prompt": "x", "temperature": None, "seed": 11}).json()["choices"][0][
        "text"
    ]

    assert text.endswith("11")


def test_more_questions_than_may_wait_are_told_to_come_again(
    client: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("evals.serving.batcher.MOST_WAITING", 0)

    response = client.post(CHAT, json=user())

    assert (response.status_code, response.headers["retry-after"]) == (429, "1")
    assert "ask again later" in response.json()["error"]["message"]


def test_the_model_is_found_by_its_name_and_no_other(client: httpx.Client) -> None:
    assert client.get("/v1/models/tiny").json()["id"] == "tiny"
    assert client.get("/v1/models/other").status_code == 404


def test_the_model_is_listed(client: httpx.Client) -> None:
    assert client.get("/v1/models").json()["data"][0]["id"] == "tiny"


@pytest.mark.parametrize(
    ("path", "fields", "status", "says"),
    [
        (CHAT, user(model="other"), 404, "'other' is not served"),
        (CHAT, user(n=2), 400, "n: 2 is not supported"),
        (CHAT, user(stream=True), 400, "stream"),
        (CHAT, user(top_p=0.9), 400, "top_p"),
        (CHAT, user(top_k=40), 400, "top_k: 40 is not supported"),
        (CHAT, user(logprobs=True, top_logprobs=5), 400, "logprobs: True"),
        (CHAT, user(logit_bias={"5": 100}), 400, "logit_bias"),
        (CHAT, user(response_format={"type": "json_object"}), 400, "response_format"),
        (CHAT, user(tools=[{"type": "function"}]), 400, "tools"),
        (CHAT, user(guided_json={}), 400, "guided_json"),
        (CHAT, user(seed=2**63), 400, "seed"),
        (CHAT, {"messages": [{"role": "user", "content": "\ud800"}]}, 400, "half of a surrogate pair"),
        (TEXT, {"prompt": "\udfff"}, 400, "half of a surrogate pair"),
        (CHAT, {"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}, 400, "parts of text"),
        (CHAT, user(temperature="hot"), 400, "temperature"),
        (CHAT, user(temperature=-1), 400, "temperature"),
        (CHAT, user(temperature=True), 400, "temperature"),
        (CHAT, user(max_tokens=0), 400, "max_tokens"),
        (CHAT, user(seed="x"), 400, "seed"),
        (CHAT, user(stop=3), 400, "stop"),
        (CHAT, user("word " * 30), 400, "at most 20"),
        (CHAT, {}, 400, "one user message"),
        (CHAT, {"messages": "hi"}, 400, "one user message"),
        (CHAT, {"messages": [{"role": "user"}]}, 400, "content"),
        (CHAT, {"messages": [{"role": "user", "content": "a"}] * 2}, 400, "['user', 'user']"),
        (TEXT, {"prompt": ["a", "b"]}, 400, "got 2"),
        (TEXT, {"prompt": [[1, 2]]}, 400, "prompt"),
        (TEXT, {"prompt": "a", "logprobs": 5}, 400, "logprobs"),
        (TEXT, [], 400, "no JSON object"),
    ],
)
def test_what_cannot_be_done_is_refused_with_a_sentence(
    client: httpx.Client, path: str, fields: object, status: int, says: str
) -> None:
    response = client.post(path, content=json.dumps(fields))  # httpx would not write half a surrogate pair

    assert response.status_code == status
    assert says in response.json()["error"]["message"]


def test_what_is_no_json_or_too_large_is_refused(client: httpx.Client) -> None:
    assert client.post(CHAT, content=b"{").status_code == 400
    assert client.post(CHAT, content=b"[" * 100_000).status_code == 400
    assert client.post(CHAT, content=b" " * (4 * 2**20 + 1)).status_code == 413


@pytest.fixture(scope="module")
def run_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_run(tmp_path_factory.mktemp("run"))


@contextmanager
def serving(run_dir: Path) -> Iterator[str]:
    """The real command on a free port."""
    command = [sys.executable, "-m", "evals", "serve", "--checkpoint", str(run_dir), "--name", "tiny"]
    with subprocess.Popen(
        [*command, "--listen", "127.0.0.1:0"], stdout=subprocess.PIPE, text=True, env=os.environ
    ) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            assert "serving 'tiny' at http://" in line
            yield line.split()[-1]
        finally:
            process.terminate()


def rows(
    path: Path, key: Callable[[Mapping[str, Any]], str], value: Callable[[Mapping[str, Any]], str]
) -> dict:
    return {key(row): value(row) for row in map(json.loads, path.read_text().splitlines())}


def run_evals(*arguments: str, directory: Path) -> dict[str, str]:
    command = [sys.executable, "-m", "evals", "run", *arguments, "--output", str(directory)]
    command += ["--generations", str(directory / "generations")]
    subprocess.run(command, check=True, capture_output=True, timeout=250)
    return rows(directory / COMPLETIONS_FILE, lambda row: row["example_id"], lambda row: row["completion"])


@pytest.mark.e2e
def test_other_harnesses_get_from_the_endpoint_what_we_get_from_the_checkpoint(
    run_dir: Path, tmp_path: Path
) -> None:
    """Ours over the endpoint, and lm-evaluation-harness, on the same local questions."""
    if importlib.util.find_spec("lm_eval") is None:
        missing("lm-evaluation-harness is not installed: make interop")
    questions = tmp_path / "own.jsonl"
    asked = [
        {"id": f"q{n}", "prompt": f"question {n}", "reward": "math", "reference": {"answer": "1"}}
        for n in range(8)
    ]
    questions.write_text("".join(json.dumps(row) + "\n" for row in asked))
    suite = ["--suite", f"rows={questions}"]
    with serving(run_dir) as url:
        ours = run_evals("--checkpoint", str(run_dir), *suite, directory=tmp_path / "checkpoint")
        same = ["--endpoint", url, "--model", "tiny", "--system=", *suite]
        over_http = run_evals(*same, directory=tmp_path / "endpoint")
        # Half of the golds are what the model answers, so that the harness's own metric is known: 0.5.
        golds = [
            {**row, "gold": ours[f"own/test/{row['id']}"] if n % 2 else "no"} for n, row in enumerate(asked)
        ]
        scored, theirs = lm_eval(tmp_path, url, golds)

    assert over_http == ours
    assert len(set(ours.values())) > 1
    assert theirs == {name.removeprefix("own/test/"): text for name, text in ours.items()}
    assert scored == 0.5


def lm_eval(directory: Path, url: str, golds: Sequence[Mapping[str, object]]) -> tuple[float, dict[str, str]]:
    """Run lm-evaluation-harness on a task of our own; return its metric and what it was answered."""
    data = directory / "golds.jsonl"
    data.write_text("".join(json.dumps(row) + "\n" for row in golds))
    task = {
        "task": "ours",
        "dataset_path": "json",
        "dataset_kwargs": {"data_files": {"test": str(data)}},
        "output_type": "generate_until",
        "test_split": "test",
        "doc_to_text": "{{prompt}}",
        "doc_to_target": "{{gold}}",
        "generation_kwargs": {
            "do_sample": False,
            "temperature": 0.0,
            "max_gen_toks": NEW_TOKENS,
            "until": [],
        },
        "metric_list": [{"metric": "exact_match", "aggregation": "mean", "higher_is_better": True}],
    }
    (directory / "ours.yaml").write_text(json.dumps(task))  # JSON is YAML
    model = f"model=tiny,base_url={url}/chat/completions,num_concurrent=4,tokenizer_backend=None"
    subprocess.run(
        [
            *(sys.executable, "-m", "lm_eval", "run", "--model", "local-chat-completions"),
            *("--model_args", model, "--include_path", str(directory), "--tasks", "ours"),
            *("--apply_chat_template", "--log_samples", "--output_path", str(directory / "out")),
        ],
        check=True,
        capture_output=True,
        timeout=250,
        env={**os.environ, "HF_HUB_OFFLINE": "1", "HF_HOME": str(directory / "hf")},
    )
    (samples,) = (directory / "out").rglob("samples_*.jsonl")
    (results,) = (directory / "out").rglob("results_*.json")
    metric = json.loads(results.read_text())["results"]["ours"]["exact_match,none"]
    return metric, rows(samples, lambda row: row["doc"]["id"], lambda row: row["resps"][0][0])


@pytest.mark.e2e
def test_the_served_prompt_is_the_one_of_training(run_dir: Path) -> None:
    """A chat gets the same answer as its rendered prompt without any template."""
    with serving(run_dir) as url:
        chat = httpx.post(f"{url}/chat/completions", json=user("question 3", temperature=0), timeout=START_S)
        rendered = {"prompt": TEMPLATE.render("question 3"), "temperature": 0}
        text = httpx.post(f"{url}/completions", json=rendered, timeout=START_S)

    assert chat.json()["choices"][0]["message"]["content"] == text.json()["choices"][0]["text"]
    assert chat.json()["usage"] == text.json()["usage"]
