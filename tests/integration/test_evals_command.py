"""`python -m evals` from rows and completions to a table, through a real reward server."""

import json
import socket
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import pytest

from evals.__main__ import main
from evals.store import read_graded, read_results
from reward_client.local import LocalServer

ROWS = [(f"What is {n} plus {n}?", 2 * n) for n in range(1, 9)]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with LocalServer(tmp_path_factory.mktemp("server") / "server.log") as running:
        yield running.address


@pytest.fixture(autouse=True)
def at_server(server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REWARD_ADDRESS", server)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Rows in the hub's columns of GSM8K."""
    directory = tmp_path / "data" / "gsm8k"
    directory.mkdir(parents=True)
    rows = ({"question": question, "answer": f"Add.\n#### {answer}"} for question, answer in ROWS)
    (directory / "test.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return directory.parent


def example_ids(data: Path) -> list[str]:
    from tasks.api import Split
    from tasks.sources import Directory, load

    return [example.example_id for example in load(Directory(data), splits=(Split.TEST,)).examples]


def completions(path: Path, ids: list[str], *, right: int, well_formed: int) -> Path:
    """The first `right` answers are right; those after the first `well_formed` lack their last tag."""
    with path.open("w") as lines:
        for index, (example_id, (_, answer)) in enumerate(zip(ids, ROWS, strict=True)):
            given = answer if index < right else answer + 1
            close = "</answer>" if index < well_formed else ""
            text = f"<reasoning>Add.</reasoning><answer>{given}{close}"
            lines.write(json.dumps({"example_id": example_id, "completion": text}) + "\n")
    return path


def test_completions_on_file_become_results_and_a_table(
    tmp_path: Path, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = completions(tmp_path / "c.jsonl", example_ids(data), right=4, well_formed=6)

    status = main(["run", "--completions", str(path), "--data-dir", str(data)])

    results = read_results(tmp_path / "evals" / "test")
    math = results.domains["math"]
    assert status == 0
    assert (math.prompts, math.ungraded) == (8, {})
    assert math.format_rate is not None
    assert math.accuracy is not None
    assert math.accuracy_given_format is not None
    assert math.reward is not None
    assert math.format_rate.mean == 6 / 8
    assert math.accuracy.mean == 4 / 8
    assert math.accuracy_given_format.mean == pytest.approx(4 / 6)
    assert math.reward.mean == pytest.approx((4 * 1.0 + 2 * 0.2) / 8)
    assert list(results.reward_versions) == ["math"]
    out = capsys.readouterr().out
    assert "50.0 [22, 78]" in out
    assert "not in this data: mbpp, sciq" in out


def test_two_evaluations_are_compared_prompt_by_prompt(
    tmp_path: Path, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, right in (("before", 1), ("after", 7)):
        path = completions(tmp_path / f"{name}.jsonl", example_ids(data), right=right, well_formed=8)
        arguments = ["--completions", str(path), "--data-dir", str(data), "--output", str(tmp_path / name)]
        assert main(["run", *arguments]) == 0
    capsys.readouterr()

    status = main(["compare", str(tmp_path / "before"), str(tmp_path / "after")])

    out = capsys.readouterr().out
    total = next(line.split() for line in out.splitlines() if line.startswith(" all"))
    assert status == 0
    assert total[:8] == ["all", "8", "12.5", "→", "87.5", "+75.0", "[+38,", "+100]"]
    assert total[8:11] == ["6", "0", "0.031"]
    flips = [json.loads(line) for line in (tmp_path / "after/compare/flips.jsonl").read_text().splitlines()]
    assert len(flips) == 6
    assert {flip["completions_after"][0]["score"]["verdict"] for flip in flips} == {"CORRECT"}
    written = json.loads((tmp_path / "after/compare/comparison.json").read_text())
    assert written["reward"]["math"]["before"] == pytest.approx(0.3)


def test_graded_completions_graded_again_give_the_same_results(tmp_path: Path, data: Path) -> None:
    path = completions(tmp_path / "c.jsonl", example_ids(data), right=3, well_formed=5)
    first, again = tmp_path / "first", tmp_path / "again"
    arguments = ["--data-dir", str(data)]
    assert main(["run", "--completions", str(path), "--output", str(first), *arguments]) == 0

    assert (
        main(["run", "--completions", str(first / "graded.jsonl"), "--output", str(again), *arguments]) == 0
    )

    assert [item.outcome.result for item in read_graded(again)] == [
        item.outcome.result for item in read_graded(first)
    ]
    assert read_results(again).domains == read_results(first).domains


def test_a_gate_that_is_not_reached_is_said_and_told_to_ci(
    tmp_path: Path, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = completions(tmp_path / "c.jsonl", example_ids(data), right=4, well_formed=8)
    junit = tmp_path / "reports" / "evals.xml"
    arguments = ["run", "--completions", str(path), "--data-dir", str(data), "--junit", str(junit)]

    reached = main([*arguments, "--fail-under", "0.5", "math=0.5"])
    missed = main([*arguments, "--fail-under", "0.5", "math=0.6"])

    suite = ElementTree.parse(junit).getroot()
    assert (reached, missed) == (0, 3)
    assert "math: accuracy 0.500 [0.215, 0.785] over 8 prompts is below 0.6" in capsys.readouterr().out
    assert suite.attrib["failures"] == "1"
    assert [case.attrib["name"] for case in suite.iter("testcase") if case.find("failure") is not None] == [
        "math"
    ]


def test_what_would_fail_at_the_end_fails_before_anything_is_graded(
    tmp_path: Path, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = completions(tmp_path / "c.jsonl", example_ids(data), right=4, well_formed=8)
    output = tmp_path / "out"
    arguments = ["run", "--completions", str(path), "--data-dir", str(data), "--output", str(output)]

    assert main([*arguments, "--fail-under", "maths=0.5"]) == 2
    assert "fail-under: no domain 'maths'" in capsys.readouterr().err
    assert main([*arguments, "--junit", str(tmp_path)]) == 2
    assert "junit: " in capsys.readouterr().err
    assert main([*arguments, "--junit", str(path / "e.xml")]) == 2
    assert "junit: " in capsys.readouterr().err
    assert not (output / "graded.jsonl").exists()
    assert main([*arguments[:-1], str(path)]) == 2
    assert f"output: {str(path)!r} cannot be made a directory" in capsys.readouterr().err


def test_why_something_could_not_be_graded_is_said_with_an_example(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    row = {"prompt": "?", "reward": "code", "reference": {"tests": ["assert f() == g()"], "entry_point": "f"}}
    (tmp_path / "own.jsonl").write_text(json.dumps(row))
    answer = {
        "example_id": "own/test/1",
        "completion": "<reasoning>r</reasoning><answer>def f(): pass</answer>",
    }
    (tmp_path / "c.jsonl").write_text(json.dumps(answer))

    status = main(
        ["run", "--suite", f"rows={tmp_path}/own.jsonl", "--completions", str(tmp_path / "c.jsonl")]
    )

    assert status == 1
    assert "BAD_REFERENCE, e.g. own/test/1: " in capsys.readouterr().out


def test_a_fall_beyond_chance_fails_a_comparison_that_asks_for_it(tmp_path: Path, data: Path) -> None:
    for name, right in (("before", 8), ("after", 1)):
        path = completions(tmp_path / f"{name}.jsonl", example_ids(data), right=right, well_formed=8)
        arguments = ["--completions", str(path), "--data-dir", str(data), "--output", str(tmp_path / name)]
        assert main(["run", *arguments]) == 0
    sides = [str(tmp_path / "before"), str(tmp_path / "after")]

    assert main(["compare", *sides, "--fail-on-fall"]) == 3
    assert main(["compare", *reversed(sides), "--fail-on-fall"]) == 0


def test_a_server_is_started_when_none_is_named(
    tmp_path: Path, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("REWARD_ADDRESS")
    path = completions(tmp_path / "c.jsonl", example_ids(data), right=8, well_formed=8)

    assert main(["run", "--completions", str(path), "--data-dir", str(data)]) == 0

    accuracy = read_results(tmp_path / "evals" / "test").domains["all"].accuracy
    assert accuracy is not None
    assert accuracy.mean == 1.0


def test_a_server_that_does_not_answer_is_told_before_anything_is_sampled(
    tmp_path: Path, data: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound and not listening: every connection is refused
        monkeypatch.setenv("REWARD_ADDRESS", f"127.0.0.1:{taken.getsockname()[1]}")
        monkeypatch.setattr("evals.run.CONNECT_S", 1.0)

        status = main(["run", "--checkpoint", str(tmp_path / "none"), "--data-dir", str(data)])

    assert status == 2
    assert "reward server" in capsys.readouterr().err
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--samples", "4"], "set a temperature"),
        (["--samples", "0"], "samples: need at least 1"),
        (["--temperature", "-1"], "temperature: need 0"),
        (["--temperature", "inf"], "temperature: need a finite number"),
        (["--seed", "-1"], "seed: need 0 or more"),
        (["--completions", "c.jsonl", "--samples", "2", "--temperature", "1"], "on file already"),
        (["--completions", "c.jsonl", "--base"], "base: is of a checkpoint"),
        (["--suite", "math=m.jsonl", "--split", "train"], "split, data-dir: choose rows of the mix"),
        (["--limit", "-1"], "limit: need 0"),
        (["--completions", "c.jsonl", "--limit", "3"], "the file of completions says what was asked"),
        (["--endpoint", "http://127.0.0.1:1/v1"], "belong together"),
        (["--endpoint", "localhost", "--model", "m"], "is no URL"),
        (["--endpoint", "http://h/v1", "--model", "m", "--completions", "c"], "one source of completions"),
        (["--subset-seed", "3"], "set --limit"),
        (["--suite", "humaneval"], "KIND=PATH"),
        (["--suite", "math=absent.jsonl"], "no file 'absent.jsonl'"),
        (["--fail-under", "60"], "neither an accuracy"),
        (["--completions", "absent.jsonl"], "no file 'absent.jsonl'"),
        (["--data-dir", "absent"], "no directory 'absent'"),
        (["--checkpoint", "absent"], "'absent'"),
    ],
)
def test_what_cannot_be_done_is_said_in_a_line_with_status_2(
    arguments: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    status = main(["run", *arguments])

    error = capsys.readouterr().err
    assert status == 2
    assert says in error
    assert "Traceback" not in error
