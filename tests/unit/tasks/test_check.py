"""The check of reference answers, through a real reward server."""

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from reward_client.api import Failure, Outcome, Score
from reward_client.client import RewardClient
from reward_client.local import LocalServer
from tasks.api import Demonstration, Domain, Example, Split
from tasks.check import DatasetCheck, Finding, check, shortfall, table
from tasks.sources import embedded, load


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalServer]:
    """A reward server of our own; the rewards asked of it here need no sandbox."""
    with LocalServer(tmp_path_factory.mktemp("server") / "server.log") as running:
        yield running


@pytest.fixture(scope="module")
def client(server: LocalServer) -> Iterator[RewardClient]:
    with RewardClient(server.address) as connected:
        yield connected


@pytest.fixture(scope="module")
def logic() -> tuple[Example, ...]:
    """The yes-or-no questions of the embedded test split."""
    return load(embedded(), splits=[Split.TEST], datasets=["strategyqa"]).examples


def test_good_reference_answers_earn_full_marks(client: RewardClient, logic: tuple[Example, ...]) -> None:
    assert check(client, logic) == [
        DatasetCheck(dataset="strategyqa", rows=len(logic), ungraded=0, mean=1.0, findings=())
    ]


def test_every_embedded_demonstration_earns_full_marks(client: RewardClient) -> None:
    examples = [e for e in _embedded() if e.domain is not Domain.CODE]

    assert [c.findings for c in check(client, examples) if c.findings] == []


@pytest.mark.docker
@pytest.mark.usefixtures("docker_engine")
def test_every_embedded_solution_earns_full_marks_in_the_sandbox(client: RewardClient) -> None:
    examples = [e for e in _embedded() if e.domain is Domain.CODE]

    assert [c.findings for c in check(client, examples)] == [()]


def _embedded() -> tuple[Example, ...]:
    return load(embedded(), splits=[Split.TRAIN, Split.TEST]).examples


def test_a_wrong_reference_answer_is_found_and_named(
    client: RewardClient, logic: tuple[Example, ...]
) -> None:
    other = "no" if logic[1].demonstration.answer == "yes" else "yes"
    wrong = replace(logic[1], demonstration=Demonstration(reasoning="r", answer=other))

    (result,) = check(client, [logic[0], wrong])

    assert [finding.example_id for finding in result.findings] == [wrong.example_id]
    assert result.findings[0].why.startswith("INCORRECT, 0.20: ")


def test_a_row_that_cannot_be_graded_is_a_finding_and_in_no_mean(
    client: RewardClient, logic: tuple[Example, ...]
) -> None:
    unknown = replace(logic[1], reward="absent")

    (result,) = check(client, [logic[0], unknown])

    assert (result.ungraded, result.mean) == (1, 1.0)
    assert "UNKNOWN_REWARD" in result.findings[0].why


def test_the_command_succeeds_on_good_rows_and_fails_on_bad_ones(server: LocalServer, tmp_path: Path) -> None:
    row = {
        "qid": "1",
        "question": "Is ice cold?",
        "answer": True,
        "facts": ["Ice is <answer>frozen</answer>."],
    }
    good, bad = tmp_path / "good", tmp_path / "bad"
    for directory, facts in ((good, ["Ice is frozen."]), (bad, row["facts"])):
        (directory / "strategyqa").mkdir(parents=True)
        (directory / "strategyqa" / "test.jsonl").write_text(json.dumps(row | {"facts": facts}))

    results = [
        subprocess.run(
            [
                sys.executable,
                "-m",
                "tasks",
                "check",
                "--data-dir",
                str(directory),
                "--address",
                server.address,
            ],
            capture_output=True,
            text=True,
            check=False,
        )
        for directory in (good, bad)
    ]

    assert [result.returncode for result in results] == [0, 1]
    assert "strategyqa/test/1: FORMAT_INVALID" in results[1].stdout


def test_a_directory_that_is_not_there_is_one_line_and_exit_code_2(tmp_path: Path) -> None:
    result = subprocess.run(
        [sys.executable, "-m", "tasks", "mix", "--data-dir", str(tmp_path / "absent")],
        capture_output=True,
        text=True,
        check=False,
    )

    assert (result.returncode, len(result.stderr.splitlines())) == (2, 1)
    assert "<dataset>/<split>.jsonl" in result.stderr


def test_a_server_that_does_not_answer_is_one_line_and_exit_code_2() -> None:
    result = subprocess.run(
        [sys.executable, "-m", "tasks", "check", "--datasets", "xsum", "--address", "127.0.0.1:9"],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )

    assert result.returncode == 2
    assert "127.0.0.1:9" in result.stderr.splitlines()[-1]


def _outcome(result: Score | Failure) -> Outcome:
    return Outcome(sample_id="s", result=result, reward_version="1", cached=False, queue_ms=0.0, grade_ms=0.0)


def _score(verdict: str, value: float, **components: float) -> Score:
    return Score(value=value, verdict=verdict, components=components, explanation="because")


@pytest.mark.parametrize(
    ("result", "why"),
    [
        (_score("CORRECT", 1.0, format=1.0, correctness=1.0), None),
        (_score("PARTIAL", 0.6, format=1.0, correctness=0.5), "PARTIAL, 0.60: because"),
        (_score("QUALITY", 0.6, format=1.0, quality=0.5), None),
        (_score("QUALITY", 0.52, format=1.0, quality=0.4), "quality 0.40 is under 0.5: because"),
        (_score("TIME_LIMIT", 0.2, format=1.0, correctness=0.0), "TIME_LIMIT, 0.20: because"),
        (Failure(kind="SANDBOX", message="no engine"), "not graded, SANDBOX: no engine"),
    ],
)
def test_full_marks_are_a_value_of_one_or_an_acceptable_quality(
    result: Score | Failure, why: str | None
) -> None:
    assert shortfall(_outcome(result)) == why


def test_rows_that_fall_short_for_one_reason_share_a_line() -> None:
    findings = tuple(Finding(example_id=f"d/test/{n}", why=why) for n, why in enumerate(("x", "y", "x", "z")))

    text = table([DatasetCheck(dataset="d", rows=9, ungraded=0, mean=0.5, findings=findings)], listed=2)

    assert text.splitlines()[1:] == [
        "d                     9           5         0  0.500",
        "d/test/0 and 1 more: x",
        "d/test/1: y",
        "d: and 1 more reasons",
    ]
