"""Every reward of the contract through a real server: one right answer, one wrong, one unusable reference."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from reward_client.api import (
    BooleanReference,
    ChoiceReference,
    CodeReference,
    Failure,
    MathReference,
    Reference,
    Sample,
    Score,
    TextReference,
)
from reward_client.client import RewardClient
from reward_client.local import LocalServer

CHOICE = ChoiceReference(labels=("A", "B"), texts=("iron", "gold"), correct_label="B")
CODE = CodeReference(tests=("assert double(2) == 4", "assert double(-1) == -2"))


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RewardClient]:
    log: Path = tmp_path_factory.mktemp("server") / "log"
    with LocalServer(log) as server, RewardClient(server.address) as made:
        yield made


def sample(reward: str, answer: str, reference: Reference) -> Sample:
    return Sample(
        sample_id="s",
        reward=reward,
        prompt="a question",
        completion=f"<reasoning>step by step</reasoning><answer>{answer}</answer>",
        reference=reference,
    )


@pytest.mark.parametrize(
    ("reward", "answer", "reference", "value", "verdict"),
    [
        ("math", "3/4", MathReference(answer="0.75"), 1.0, "CORRECT"),
        ("math", "3/5", MathReference(answer="0.75"), 0.2, "INCORRECT"),
        # Only algebra can tell: this one goes to a worker process.
        ("math", r"[1,3]", MathReference(answer=r"[1,2]\cup[2,3]"), 1.0, "CORRECT"),
        ("choice", "B", CHOICE, 1.0, "CORRECT"),
        ("choice", "A", CHOICE, 0.2, "INCORRECT"),
        ("boolean", "yes", BooleanReference(value=True), 1.0, "CORRECT"),
        ("boolean", "no", BooleanReference(value=True), 0.2, "INCORRECT"),
    ],
)
def test_an_answer_gets_its_value(
    client: RewardClient, reward: str, answer: str, reference: Reference, value: float, verdict: str
) -> None:
    (outcome,) = client.score([sample(reward, answer, reference)], timeout_s=120.0)

    assert isinstance(outcome.result, Score), outcome.result
    assert (outcome.result.value, outcome.result.verdict) == (pytest.approx(value), verdict)


@pytest.mark.docker
@pytest.mark.parametrize(
    ("body", "value", "verdict"),
    [("2 * x", 1.0, "CORRECT"), ("x + 2", 0.2, "INCORRECT"), ("y", 0.2, "RUNTIME_ERROR")],
)
def test_a_program_gets_its_value(
    client: RewardClient, sandbox_image: str, body: str, value: float, verdict: str
) -> None:
    program = f"def double(x):\n    return {body}\n"

    (outcome,) = client.score([sample("code", program, CODE)], timeout_s=120.0)

    assert isinstance(outcome.result, Score), outcome.result
    assert (outcome.result.value, outcome.result.verdict) == (pytest.approx(value), verdict)


@pytest.mark.parametrize("reward", ["writing", "ideation"])
def test_prose_is_judged_on_a_scale(client: RewardClient, reward: str) -> None:
    words = "The lighthouse keeper counted every passing ship, and each evening he wrote its name in chalk. "

    (outcome,) = client.score([sample(reward, words * 2, TextReference())], timeout_s=120.0)

    assert isinstance(outcome.result, Score), outcome.result
    assert set(outcome.result.components) >= {"format", "quality"}
    assert 0.2 <= outcome.result.value <= 1.0


def test_a_summary_like_its_reference_beats_another(client: RewardClient) -> None:
    document = "The council met on Monday. It voted to repair the old bridge before winter. Work goes on."
    reference = TextReference(reference="The council voted to repair the old bridge.", source=document)
    good = sample("summary", "The council voted to repair the old bridge before winter.", reference)
    bad = sample("summary", "A cat slept all day on the warm roof of a small house.", reference)

    first, second = (client.score([each], timeout_s=120.0)[0].result for each in (good, bad))

    assert isinstance(first, Score)
    assert isinstance(second, Score)
    assert first.value > second.value


@pytest.mark.parametrize(
    ("reward", "reference"),
    [
        ("math", MathReference(answer="")),
        ("code", CodeReference(tests=())),
        ("choice", ChoiceReference(labels=("A", "B"), texts=("iron", "gold"), correct_label="C")),
        ("boolean", MathReference(answer="yes")),
        ("summary", TextReference()),
        ("writing", BooleanReference(value=True)),
        ("ideation", MathReference(answer="1")),
    ],
)
def test_a_reference_that_cannot_be_used_is_a_failure(
    client: RewardClient, reward: str, reference: Reference
) -> None:
    (outcome,) = client.score([sample(reward, "1", reference)], timeout_s=120.0)

    assert isinstance(outcome.result, Failure), outcome.result
    assert outcome.result.kind == "BAD_REFERENCE"
    assert outcome.reward_version


def test_a_question_of_algebra_right_after_the_start_waits_for_the_workers(tmp_path: Path) -> None:
    asked = sample("math", "[1,3]", MathReference(answer=r"[1,2]\cup[2,3]"))
    with LocalServer(tmp_path / "log") as server, RewardClient(server.address) as client:
        (outcome,) = client.score([asked], timeout_s=120.0)

    assert isinstance(outcome.result, Score), outcome.result
    assert outcome.result.verdict == "CORRECT"


def test_a_server_can_stop_while_its_workers_start(tmp_path: Path) -> None:
    with LocalServer(tmp_path / "log"):
        pass

    text = (tmp_path / "log").read_text()
    assert '"event": "stopped"' in text
    assert "Traceback" not in text


def test_without_an_engine_code_is_a_failure_and_the_rest_is_served(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/no-engine.sock")
    monkeypatch.setenv("PATH", str(tmp_path))  # no bubblewrap either
    with LocalServer(tmp_path / "log") as server, RewardClient(server.address) as client:
        (code,) = client.score([sample("code", "def double(x):\n    return 2 * x", CODE)], timeout_s=120.0)
        (choice,) = client.score([sample("choice", "B", CHOICE)], timeout_s=120.0)

    assert isinstance(code.result, Failure)
    assert code.result.kind == "SANDBOX"
    assert isinstance(choice.result, Score)
    warnings = [line for line in (tmp_path / "log").read_text().splitlines() if '"level": "warning"' in line]
    assert len(warnings) == 1
    assert "no_sandbox" in warnings[0]
