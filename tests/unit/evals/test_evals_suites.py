"""Questions by path: their forms, and what is left out or refused."""

import gzip
import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from evals.errors import SuiteError
from evals.questions.humaneval import UnfitTestError, to_reference
from evals.questions.suites import last_boxed, load_suite
from reward_client.api import ChoiceReference, CodeReference, MathReference
from tasks.api import Domain

CASES = [json.loads(line) for line in Path("tests/cases/evals_humaneval.jsonl").read_text().splitlines()]
PROMPT = "from typing import List\n\n\ndef f(x: List[int]) -> int:\n    '''Adds.'''\n"


def written(tmp_path: Path, *rows: Mapping[str, object], name: str = "questions.jsonl") -> str:
    text = "".join(json.dumps(row) + "\n" for row in rows)
    path = tmp_path / name
    path.write_bytes(gzip.compress(text.encode()) if name.endswith(".gz") else text.encode())
    return str(path)


def humaneval(task_id: str, check: str) -> dict[str, object]:
    return {
        "task_id": task_id,
        "prompt": PROMPT,
        "entry_point": "f",
        "canonical_solution": "    return x[0] + 1\n",
        "test": f"METADATA = {{}}\n\n\ndef check(candidate):\n    {check}\n",
    }


@pytest.mark.parametrize("case", CASES, ids=[case["why"] for case in CASES])
def test_checks_become_assertions_or_say_why_not(case: Mapping[str, str]) -> None:
    test = str(humaneval("t", case["check"])["test"])

    if "refused" in case:
        with pytest.raises(UnfitTestError, match=case["refused"]):
            to_reference(prompt=PROMPT, test=test, entry_point="f")
    else:
        reference = to_reference(prompt=PROMPT, test=test, entry_point="f")
        assert list(reference.tests) == case["tests"]
        assert reference.imports == ("from typing import List",)


def test_humaneval_asks_for_the_function_and_leaves_out_by_name_what_cannot_be_split(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        humaneval("HumanEval/0", "assert candidate([1]) == 2"),
        humaneval("HumanEval/1", "for i in range(3):\n        assert candidate([i]) == i + 1"),
        name="HumanEval.jsonl.gz",
    )

    suite = load_suite(f"humaneval={path}")

    (example,) = suite.examples
    assert example.example_id == "humaneval/test/HumanEval/0"
    assert (example.domain, example.reward) == (Domain.CODE, "code")
    assert "def f(x: List[int])" in example.prompt
    assert "canonical" not in example.prompt
    assert "assert" not in example.prompt
    assert example.demonstration.answer.endswith("return x[0] + 1\n")
    assert isinstance(example.reference, CodeReference)
    assert list(suite.excluded) == ["humaneval/test/HumanEval/1"]


def test_math_rows_take_the_answer_or_the_last_box_of_the_solution(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        {"problem": "1+1?", "answer": "2", "unique_id": "algebra/1"},
        {"problem": "1/2?", "solution": "First \\boxed{3}, no: \\boxed{\\frac{1}{2}}."},
    )

    suite = load_suite(f"math={path}")

    assert [example.reference for example in suite.examples] == [
        MathReference(answer="2"),
        MathReference(answer="\\frac{1}{2}"),
    ]
    assert suite.examples[0].example_id == "math/test/algebra/1"


def test_a_users_own_rows_name_their_reward_and_reference(tmp_path: Path) -> None:
    reference = {"labels": ["A", "B"], "texts": ["x", "y"], "correct_label": "B"}
    path = written(
        tmp_path,
        {"id": "q1", "prompt": "x or y?", "reward": "choice", "reference": reference},
        name="own.jsonl",
    )

    (example,) = load_suite(f"rows={path}").examples

    assert example.example_id == "own/test/q1"
    assert example.reference == ChoiceReference(labels=("A", "B"), texts=("x", "y"), correct_label="B")


@pytest.mark.parametrize(
    ("kind", "row", "says"),
    [
        ("math", {"problem": "?"}, r":1: has neither 'answer'"),
        ("math", {"answer": "2"}, r":1: needs the text 'problem'"),
        ("rows", {"prompt": "?", "reward": "maths", "reference": {}}, "'maths' is none of math, code"),
        (
            "rows",
            {"prompt": "?", "reward": "math", "reference": {"anwser": "2"}},
            ":1: reference has 'anwser', reward 'math' takes answer",
        ),
        ("rows", {"prompt": "?", "reward": "math", "reference": {}}, "does not fit reward 'math'"),
        (
            "rows",
            {"prompt": "?", "reward": "math", "reference": {"answer": 2}},
            "needs a text as 'answer', got 2",
        ),
        (
            "rows",
            {"prompt": "?", "reward": "code", "reference": {"tests": "assert f() == 1"}},
            "needs a list of texts as 'tests'",
        ),
        (
            "rows",
            {"prompt": "?", "reward": "boolean", "reference": {"value": "yes"}},
            "needs true or false as 'value', got 'yes'",
        ),
        ("math", {"problem": "half \ud800", "answer": "2"}, "'problem' holds half of a surrogate pair"),
        ("rows", {"prompt": "?", "reward": "math", "reference": "2"}, "needs the object 'reference'"),
        ("humaneval", {"task_id": "x", "prompt": "def f():"}, "needs the text 'canonical_solution'"),
    ],
)
def test_a_malformed_row_is_an_error_that_names_it(
    tmp_path: Path, kind: str, row: Mapping[str, object], says: str
) -> None:
    with pytest.raises(SuiteError, match=says):
        load_suite(f"{kind}={written(tmp_path, row)}")


def test_a_number_is_an_answer_too(tmp_path: Path) -> None:
    (example,) = load_suite(f"math={written(tmp_path, {'problem': '1+1?', 'answer': 2})}").examples

    assert example.reference == MathReference(answer="2")


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        (b"\xff\xfe\n", r"cannot be read: .*JSON lines in UTF-8"),
        (b"[" * 100_000, r":1: not JSON: maximum recursion depth"),
        (b"\n\n7\n", r":3: not an object"),
    ],
)
def test_a_file_of_something_else_is_an_error_that_names_it(tmp_path: Path, raw: bytes, says: str) -> None:
    path = tmp_path / "questions.jsonl"
    path.write_bytes(raw)

    with pytest.raises(SuiteError, match=says):
        load_suite(f"math={path}")


def test_an_id_that_comes_twice_is_refused(tmp_path: Path) -> None:
    row = {"problem": "1+1?", "answer": "2", "id": "a"}

    with pytest.raises(SuiteError, match=r":2: id 'a' comes twice"):
        load_suite(f"math={written(tmp_path, row, row)}")


@pytest.mark.parametrize(
    ("text", "expected"),
    [("\\boxed{1}", "1"), ("\\boxed{\\frac{1}{2}} is", "\\frac{1}{2}"), ("none", ""), ("\\boxed{1", "")],
)
def test_the_last_balanced_box_is_read(text: str, expected: str) -> None:
    assert last_boxed(text) == expected
