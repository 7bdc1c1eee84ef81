"""What outlives a real server: scores that a restarted one knows, recordings, and their second grading."""

import json
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import grpc
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from reward.v1 import reward_pb2 as pb

from reward_client.api import (
    ChoiceReference,
    CodeReference,
    Failure,
    MathReference,
    Outcome,
    Sample,
    Score,
    TextReference,
)
from reward_client.client import RewardClient
from reward_client.local import LocalServer
from tests import counting_extra
from tests.fake_rewards import completion

WAIT_S = 60.0


@pytest.fixture
def graded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file that gets each answer that the reward `counting` grades."""
    return counting_extra.install(tmp_path / "site", monkeypatch, version="1.0.0", right="len(answer) % 2")


def counting(answers: list[str]) -> list[Sample]:
    return [
        Sample(
            sample_id=f"s{number}",
            reward="counting",
            prompt="p",
            completion=completion(answer),
            reference=MathReference(answer="1"),
            group_id="g",
            metadata={"step": "7"},
        )
        for number, answer in enumerate(answers)
    ]


def program(number: int) -> Sample:
    return Sample(
        sample_id=f"program {number}",
        reward="code",
        prompt="add",
        completion=completion(f"def add(a, b):\n    return a + b + {number % 2}"),
        reference=CodeReference(tests=("assert add(1, 2) == 3",)),
    )


def lines(file: Path) -> list[str]:
    return file.read_text().splitlines() if file.exists() else []


def table(directory: Path) -> "pa.Table":
    return pa.concat_tables(pq.read_table(file) for file in sorted(directory.glob("*.parquet")))


def eventually(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WAIT_S
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)


def serve(directory: Path, *flags: str) -> LocalServer:
    return LocalServer(directory / "log", flags)


def rescore(directory: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    command = (sys.executable, "-m", "reward_server", "rescore", str(directory), *arguments)
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


def values(outcomes: list[Outcome]) -> list[float]:
    return [outcome.result.value for outcome in outcomes if isinstance(outcome.result, Score)]


@pytest.mark.parametrize("end", ["stopped", "killed"])
def test_a_restarted_server_answers_a_replay_without_grading(tmp_path: Path, graded: Path, end: str) -> None:
    samples = counting(["x" * length for length in range(1, 40)])
    flags = ("--cache-dir", str(tmp_path / "cache"))
    with serve(tmp_path, *flags) as server:
        with RewardClient(server.address) as client:
            first = client.score(samples)
        if end == "killed":
            time.sleep(1.0)  # what was put in the last moment is lost with the process
            server.kill()
    assert len(lines(graded)) == len(samples)

    with serve(tmp_path, *flags) as server, RewardClient(server.address) as client:
        second = client.score(samples)

    assert len(lines(graded)) == len(samples)
    assert [outcome.cached for outcome in second] == [True] * len(samples)
    assert values(second) == values(first)
    assert [outcome.reward_version for outcome in second] == [outcome.reward_version for outcome in first]


@pytest.mark.docker
def test_a_replay_of_programs_runs_none(
    tmp_path: Path, docker_engine: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    samples = [program(number) for number in range(10)]
    flags = ("--cache-dir", str(tmp_path / "cache"), "--sandbox", "docker")
    with serve(tmp_path, *flags) as server, RewardClient(server.address) as client:
        first = client.score(samples, timeout_s=WAIT_S)
    assert values(first) == [1.0, 0.2] * 5

    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/no-engine")
    with serve(tmp_path, *flags) as server, RewardClient(server.address) as client:
        second = client.score(samples, timeout_s=WAIT_S)
        (new,) = client.score([replace(program(0), prompt="another")], timeout_s=WAIT_S)

    assert values(second) == values(first)
    assert all(outcome.cached for outcome in second)
    assert isinstance(new.result, Failure), "no program can run here"


def test_a_changed_grader_does_not_find_the_scores_of_the_old_one(
    tmp_path: Path, graded: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    samples, flags = counting(["a", "bb"]), ("--cache-dir", str(tmp_path / "cache"))
    with serve(tmp_path, *flags) as server, RewardClient(server.address) as client:
        client.score(samples)
    counting_extra.install(tmp_path / "site", monkeypatch, version="1.0.0", right="True")

    with serve(tmp_path, *flags) as server, RewardClient(server.address) as client:
        assert values(client.score(samples)) == [1.0, 1.0]
    weights = ("--scoring.format-weight", "0.5", "--scoring.task-weight", "0.5")
    with serve(tmp_path, *flags, *weights) as server, RewardClient(server.address) as client:
        assert not any(outcome.cached for outcome in client.score(samples))
    assert len(lines(graded)) == 6


def test_failures_and_verdicts_that_depend_on_the_machine_are_graded_anew(tmp_path: Path) -> None:
    crash = Sample(
        sample_id="crash",
        reward="code",
        prompt="",
        completion=completion("def f():\n    raise ValueError"),
        reference=CodeReference(tests=("assert f() == 1",)),
    )
    broken = counting(["x"])[0]  # the reward `counting` is not installed here
    flags = ("--cache-dir", str(tmp_path / "cache"))
    for _ in range(2):
        with serve(tmp_path, *flags) as server, RewardClient(server.address) as client:
            outcomes = client.score([crash, broken], timeout_s=WAIT_S)
            assert [outcome.cached for outcome in outcomes] == [False, False]
            assert isinstance(outcomes[1].result, Failure)


def test_a_server_serves_without_its_cache_when_the_file_is_garbage_or_the_directory_is_none(
    tmp_path: Path,
) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "cache" / "scores").mkdir(parents=True, mode=0o700)
    (tmp_path / "cache" / "scores" / "data.mdb").write_bytes(b"garbage" * 5_000)
    for directory in ("file", "cache"):
        flags = ("--cache-dir", str(tmp_path / directory))
        with serve(tmp_path, *flags) as server, RewardClient(server.address) as client:
            assert len(values(client.score([choice()]))) == 1

    warnings = [json.loads(line) for line in lines(tmp_path / "log") if "disk_cache" in line]
    assert [warning["level"] for warning in warnings] == ["warning", "warning"]


def choice() -> Sample:
    return Sample(
        sample_id="c",
        reward="choice",
        prompt="which?",
        completion=completion("B"),
        reference=ChoiceReference(labels=("A", "B"), texts=("iron", "gold"), correct_label="B"),
    )


def test_every_sample_is_recorded_with_its_outcome(tmp_path: Path, graded: Path) -> None:
    unknown = Sample(sample_id="u", reward="nothing", prompt="", completion="", reference=None)
    with (
        serve(tmp_path, "--record", str(tmp_path / "record")) as server,
        RewardClient(server.address) as client,
    ):
        outcomes = client.score([*counting(["a", "bb"]), choice(), unknown])
        with grpc.insecure_channel(server.address) as channel:
            stream = channel.stream_stream(
                "/reward.v1.RewardService/ScoreStream", pb.Sample.SerializeToString, pb.Outcome.FromString
            )
            asked = pb.Sample(
                sample_id="streamed", reward="counting", prompt="p", completion=completion("ccc")
            )
            asked.math.answer = "1"
            (streamed,) = stream(iter([asked]), timeout=WAIT_S)

    rows = {row["sample_id"]: row for row in table(tmp_path / "record").to_pylist()}
    assert set(rows) == {"s0", "s1", "c", "u", "streamed"}
    assert rows["streamed"]["value"] == streamed.score.value
    assert rows["streamed"]["call_id"] != rows["s0"]["call_id"] == rows["u"]["call_id"]
    for outcome in outcomes:
        row, result = rows[outcome.sample_id], outcome.result
        assert row["reward_version"] == outcome.reward_version
        if isinstance(result, Score):
            assert (row["value"], row["verdict"]) == (result.value, result.verdict)
            assert row["failure_kind"] is None
        else:
            assert (row["failure_kind"], row["failure_message"]) == (result.kind, result.message)
            assert row["value"] is None
    assert rows["s0"]["metadata"] == [("step", "7")]
    assert rows["s0"]["group_id"] == "g"
    assert rows["c"]["reference"]["choice"] == {
        "labels": ["A", "B"],
        "texts": ["iron", "gold"],
        "correct_label": "B",
    }
    assert completion("bb") not in (tmp_path / "log").read_text()
    modes = {oct(file.stat().st_mode & 0o777) for file in (tmp_path / "record").iterdir()}
    assert modes == {"0o600"}


def test_what_a_killed_server_has_answered_is_recorded_exactly_once(tmp_path: Path, graded: Path) -> None:
    record = tmp_path / "record"
    sent = 0
    for _ in range(2):
        with serve(tmp_path, "--record", str(record)) as server:
            with RewardClient(server.address) as client:
                for _ in range(5):
                    samples = counting([f"{sent + number}" for number in range(20)])
                    assert len(values(client.score(samples))) == 20
                    sent += 20
            time.sleep(0.5)  # what was answered in the last 0.05 s may be lost with the process
            server.kill()
    assert all(file.suffix != ".parquet" or pq.read_table(file).num_rows for file in record.iterdir())

    with serve(tmp_path, "--record", str(record)):
        eventually(lambda: len(list(record.glob("*.parquet"))) == 2)

    assert table(record).num_rows == sent
    answers = [
        text.split("<answer>")[1].split("<")[0] for text in table(record).column("completion").to_pylist()
    ]
    assert sorted(map(int, answers)) == list(range(sent))
    assert list(record.glob("*.journal")) == []


def test_a_second_grading_by_the_same_graders_changes_nothing(tmp_path: Path, graded: Path) -> None:
    record = tmp_path / "record"
    with serve(tmp_path, "--record", str(record)) as server, RewardClient(server.address) as client:
        client.score([*counting(["a", "bb", "ccc"]), choice(), *siblings()])

    ended = rescore(record, "--fail-on-change")

    assert ended.returncode == 0, ended.stdout
    rows = {line.split()[0]: line.split()[1:3] for line in ended.stdout.splitlines()[1:4]}
    assert rows == {"choice": ["1", "0"], "counting": ["3", "0"], "ideation": ["3", "0"]}
    assert "rescored 7 samples" in ended.stderr


def siblings() -> list[Sample]:
    """Samples whose scores depend on each other."""
    ideas = "Plant trees along the road. Collect rain water. Build a bicycle lane. Paint the walls."
    return [
        Sample(
            sample_id=f"i{number}",
            reward="ideation",
            prompt="How can the street be made nicer?",
            completion=completion(ideas[number * 7 :]),
            reference=TextReference(),
            group_id="street",
        )
        for number in range(3)
    ]


def test_a_second_grading_shows_what_a_changed_grader_changes(
    tmp_path: Path, graded: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = tmp_path / "record"
    with serve(tmp_path, "--record", str(record)) as server, RewardClient(server.address) as client:
        client.score([*counting(["a", "bb", "ccc", "dddd"]), choice()])
    counting_extra.install(tmp_path / "site", monkeypatch, version="1.1.0", right="len(answer) > 2")

    ended = rescore(record, "--fail-on-change", "--out", str(tmp_path / "changed.jsonl"))

    assert ended.returncode == 1
    assert "version 1.0.0+" in ended.stdout
    assert "1.1.0+" in ended.stdout
    (line,) = (line for line in ended.stdout.splitlines() if line.startswith("counting "))
    assert line.split()[1:4] == ["2", "2", "0"]
    assert "1  CORRECT -> INCORRECT" in ended.stdout
    assert "1  INCORRECT -> CORRECT" in ended.stdout
    assert "then 1.000 CORRECT: a\\x1b by version 1.0.0" in ended.stdout
    assert "now  0.200 INCORRECT: a\\x1b by version 1.1.0" in ended.stdout
    assert "\x1b" not in ended.stdout
    changed = [json.loads(row) for row in (tmp_path / "changed.jsonl").read_text().splitlines()]
    assert [(row["sample_id"], row["then"]["value"], row["now"]["value"]) for row in changed] == [
        ("s0", 1.0, 0.2),
        ("s3", 0.2, 1.0),
    ]
    assert rescore(record).returncode == 0
    assert rescore(record, "--reward", "choice", "--fail-on-change").returncode == 0


def test_a_reward_that_is_gone_is_a_failure_now_and_counts_as_a_change(
    tmp_path: Path, graded: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = tmp_path / "record"
    with serve(tmp_path, "--record", str(record)) as server, RewardClient(server.address) as client:
        client.score(counting(["a"]))
    monkeypatch.delenv("PYTHONPATH")

    ended = rescore(record, "--fail-on-change")

    assert ended.returncode == 1
    assert "CORRECT -> UNKNOWN_REWARD" in ended.stdout


def test_a_limit_takes_whole_calls(tmp_path: Path, graded: Path) -> None:
    record = tmp_path / "record"
    with serve(tmp_path, "--record", str(record)) as server, RewardClient(server.address) as client:
        for call in range(4):
            client.score(counting([f"{call}-{number}" for number in range(3)]))

    assert "rescored 6 samples" in rescore(record, "--limit", "4").stderr


@pytest.mark.parametrize(
    ("content", "said"),
    [(None, "holds no recording"), (b"no parquet", "cannot be read")],
)
def test_what_is_no_recording_is_one_sentence_and_exit_code_2(
    tmp_path: Path, content: bytes | None, said: str
) -> None:
    if content is not None:
        (tmp_path / "x.parquet").write_bytes(content)

    ended = rescore(tmp_path)

    assert ended.returncode == 2
    (line,) = ended.stderr.strip().splitlines()[-1:]
    assert said in line


def test_a_parquet_file_of_something_else_is_refused(tmp_path: Path) -> None:
    pq.write_table(pa.table({"a": [1]}), tmp_path / "x.parquet")

    ended = rescore(tmp_path)

    assert ended.returncode == 2
    assert "is no recording: it has no column" in ended.stderr
