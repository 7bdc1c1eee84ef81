"""The files of an evaluation are read back as written, and say where they are damaged."""

import json
from pathlib import Path

import pandas
import pytest

from evals.asking.completions import Answered, Sampling, read_completions, write_completions
from evals.errors import CompletionsError, ResultsError
from evals.grade import Graded
from evals.results import reward_versions, summarise
from evals.store import (
    GRADED_FILE,
    RESULTS_FILE,
    SAMPLES_FILE,
    Results,
    read_graded,
    read_results,
    write_results,
)
from reward_client.api import Failure
from tasks.api import Domain
from tests.unit.evals.graded_examples import example, graded, score

# Every character that some reader of lines takes for their end.
NASTY = "\u2028<answer>\x85\x0b4</answer>\r\n😀\ud800é\ttab"


def items() -> list[Graded]:
    return [
        graded("a", score(1.0), completion=NASTY),
        graded("a", score(0.0, form=0.0), index=1),
        graded("b", Failure(kind="SANDBOX", message="no engine"), domain=Domain.CODE),
    ]


def results(found: list[Graded]) -> Results:
    return Results(
        source="runs/latest",
        split="test",
        prompt_hash="8c1d02aa",
        sampling=Sampling(samples=2, temperature=0.7, seed=3, max_new_tokens=64),
        reward_versions=reward_versions(found),
        left_out={"prompt longer than the policy takes": 2},
        truncated=1,
        seconds={"answering": 2.5, "grading": 0.25},
        domains=summarise(found),
    )


def test_results_survive_a_round_trip(tmp_path: Path) -> None:
    write_results(tmp_path, results(items()), items())

    assert read_results(tmp_path) == results(items())


def test_pandas_reads_the_samples_a_row_a_completion_with_nulls_where_nothing_is(tmp_path: Path) -> None:
    write_results(tmp_path, results(items()), items())

    table = pandas.read_parquet(tmp_path / SAMPLES_FILE)

    assert list(table["verdict"].dropna()) == ["CORRECT", "INCORRECT"]
    assert table["value"].isna().tolist() == [False, False, True]
    assert table["failure_kind"].tolist()[2] == "SANDBOX"
    assert table["correctness"][0] == 1.0
    assert table["quality"].isna().all()


def test_graded_completions_survive_a_round_trip_but_for_their_call(tmp_path: Path) -> None:
    write_results(tmp_path, results(items()), items())

    found = read_graded(tmp_path)

    assert [item.outcome.result for item in found] == [item.outcome.result for item in items()]
    assert [(i.example_id, i.domain, i.sample_index, i.completion) for i in found] == [
        (i.example_id, i.domain, i.sample_index, i.completion) for i in items()
    ]
    assert summarise(found) == summarise(items())


def test_an_ungraded_completion_has_no_score_on_file(tmp_path: Path) -> None:
    write_results(tmp_path, results(items()), items())

    rows = [json.loads(line) for line in (tmp_path / GRADED_FILE).read_text().split("\n") if line]

    assert "score" not in rows[2]
    assert rows[2]["failure"] == {"kind": "SANDBOX", "message": "no engine"}
    assert json.loads((tmp_path / RESULTS_FILE).read_text())["domains"]["code"]["accuracy"] is None


def test_graded_completions_can_be_graded_again(tmp_path: Path) -> None:
    write_results(tmp_path, results(items()), items())

    answered = read_completions(tmp_path / GRADED_FILE, [example("a"), example("b"), example("c")])

    assert [item.example_id for item in answered.examples] == ["gsm8k/test/a", "gsm8k/test/b"]
    assert answered.completions == ((NASTY, "<answer>4</answer>"), ("<answer>4</answer>",))
    assert answered.left_out == {"no completion": 1}


def test_completions_survive_a_round_trip_in_the_order_of_their_examples(tmp_path: Path) -> None:
    path = tmp_path / "completions.jsonl"
    examples = (example("b"), example("a"))
    answered = Answered(source="x", examples=examples, completions=((NASTY, ""), ("4",)), left_out={})
    write_completions(path, answered)

    found = read_completions(path, examples)

    assert (found.examples, found.completions, found.left_out) == (examples, answered.completions, {})


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "is empty"),
        ("{", "c.jsonl:1: not JSON"),
        ('{"example_id": "gsm8k/test/a", "completion": "4"}\n[]\n', "c.jsonl:2: a line needs the texts"),
        ('{"example_id": "gsm8k/test/a"}', "needs the texts 'example_id' and 'completion'"),
        ('{"example_id": "gsm8k/test/a", "completion": null}', "needs the texts"),
        ('{"example_id": "gsm8k/test/zz", "completion": "4"}', "'gsm8k/test/zz' is not in this split"),
    ],
)
def test_an_unusable_file_of_completions_names_its_line(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "c.jsonl"
    path.write_text(text)

    with pytest.raises(CompletionsError, match=says):
        read_completions(path, [example("a")])


def test_completions_of_questions_that_are_left_out_are_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "c.jsonl"
    rows = [{"example_id": f"gsm8k/test/{name}", "completion": name} for name in "ab"]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))

    found = read_completions(path, [example("a")], excluded={"gsm8k/test/b": "why"})

    assert found.completions == (("a",),)


def test_completions_in_another_encoding_are_named(tmp_path: Path) -> None:
    path = tmp_path / "c.jsonl"
    path.write_bytes(b"\xff\xfe{}")

    with pytest.raises(CompletionsError, match="cannot be read"):
        read_completions(path, [example("a")])


def test_an_absent_file_of_completions_is_named(tmp_path: Path) -> None:
    with pytest.raises(CompletionsError, match="no file"):
        read_completions(tmp_path / "c.jsonl", [example("a")])


def test_a_directory_without_results_says_what_to_pass(tmp_path: Path) -> None:
    for read in (read_results, read_graded):
        with pytest.raises(ResultsError, match="pass the directory of an evaluation"):
            read(tmp_path)


@pytest.mark.parametrize("text", ["{", "{}", '{"source": 1}', '{"domains": []}'])
def test_damaged_results_are_named(tmp_path: Path, text: str) -> None:
    (tmp_path / RESULTS_FILE).write_text(text)
    (tmp_path / GRADED_FILE).write_text(text)

    for read in (read_results, read_graded):
        with pytest.raises(ResultsError, match=str(tmp_path)):
            read(tmp_path)
