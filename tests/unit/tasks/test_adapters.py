"""Rows under the hub's column names become questions with typed references."""

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from reward_client.api import ChoiceReference, TextReference
from tasks.api import Domain, Example, Split
from tasks.datasets import DATASETS, read_rows
from tasks.errors import RowsError

CASES = Path(__file__).parents[2] / "cases" / "tasks_malformed_rows.jsonl"
MALFORMED = [json.loads(line) for line in CASES.read_text(encoding="utf-8").splitlines()]

SCIQ = {
    "question": "Who proposed the theory of evolution by natural selection?",
    "distractor3": "Scopes",
    "distractor1": "Linnaeus",
    "distractor2": "shaw",
    "correct_answer": "darwin",
    "support": "Darwin saw that small changes add up.",
}


def _read(name: str, *rows: Mapping[str, object], split: Split = Split.TRAIN) -> list[Example]:
    return read_rows(DATASETS[name], split, rows)[0]


def test_sciq_lists_its_options_by_label_and_keeps_the_right_one() -> None:
    (example,) = _read("sciq", SCIQ)

    assert isinstance(example.reference, ChoiceReference)
    texts, correct = example.reference.texts, example.reference.correct_label
    assert set(texts) == {"darwin", "Linnaeus", "shaw", "Scopes"}
    assert texts[example.reference.labels.index(correct)] == "darwin"
    assert example.prompt.splitlines()[1:] == [
        f"{label}. {text}" for label, text in zip("ABCD", texts, strict=True)
    ]
    assert (example.demonstration.reasoning, example.demonstration.answer) == (SCIQ["support"], correct)


def test_sciq_options_keep_their_order_from_run_to_run() -> None:
    assert [e.reference for e in _read("sciq", SCIQ)] == [e.reference for e in _read("sciq", SCIQ)]


def test_the_right_sciq_option_is_at_every_place_about_equally_often() -> None:
    answers = [e.demonstration.answer for e in _read("sciq", *[SCIQ] * 400)]

    assert all(70 < answers.count(label) < 130 for label in "ABCD")


def test_a_sciq_row_without_support_still_has_a_reasoned_demonstration() -> None:
    (example,) = _read("sciq", SCIQ | {"support": ""})

    assert example.demonstration.reasoning == "The right option is darwin."


def test_a_writing_prompt_loses_its_forum_tag() -> None:
    row = {"prompt": "[ WP ] You wake up as a king .", "story": "Once ..."}

    (example,) = _read("writingprompts", row)

    assert example.prompt == "Write a story.\nYou wake up as a king ."
    assert (example.domain, example.reference) == (Domain.WRITING, TextReference())


@pytest.mark.parametrize(
    ("category", "domain"),
    [("brainstorming", Domain.IDEATION), ("creative_writing", Domain.WRITING)],
)
def test_dolly_categories_go_to_the_reward_that_can_judge_them(category: str, domain: Domain) -> None:
    row = {"instruction": "Do it.", "context": "With care.", "response": "Done.", "category": category}

    (example,) = _read("dolly", row)

    assert (example.domain, example.prompt) == (domain, "Do it.\nWith care.")


def test_other_dolly_categories_are_left_out_without_shifting_row_ids() -> None:
    row = {"instruction": "Do it.", "context": "", "response": "Done."}

    examples = _read("dolly", row | {"category": "closed_qa"}, row | {"category": "brainstorming"})

    assert [e.example_id for e in examples] == ["dolly/train/2"]


def test_a_summary_is_judged_against_its_reference_and_its_document() -> None:
    (example,) = _read("xsum", {"document": "A long tale.", "summary": "A tale.", "id": "7"})

    assert example.reference == TextReference(reference="A tale.", source="A long tale.")
    assert example.example_id == "xsum/train/7"


def test_an_mbpp_prompt_names_the_function_and_shows_one_test() -> None:
    row = {
        "task_id": 5,
        "text": "Write a function to double.",
        "code": "import math\r\ndef helper(x):\r\n\treturn x\r\ndef double(x):\r\n\treturn 2 * helper(x)",
        "test_list": ["assert double(2) == 4", "assert double(3) == 6"],
        "test_setup_code": "",
    }

    (example,) = _read("mbpp", row)

    assert example.prompt.endswith("Define `double` so that this holds: assert double(2) == 4")
    assert "double(3)" not in example.prompt
    assert "\r" not in example.demonstration.answer


@pytest.mark.parametrize("case", MALFORMED, ids=lambda case: f"{case['dataset']}: {case['why']}")
def test_a_malformed_row_is_named_with_its_column(case: Mapping[str, str]) -> None:
    with pytest.raises(RowsError) as caught:
        _read(case["dataset"], case["row"])

    assert (caught.value.dataset, caught.value.row, caught.value.column) == (
        f"{case['dataset']}/train",
        1,
        case["column"],
    )


def test_malformed_rows_are_counted_and_the_first_is_named() -> None:
    good = {"question": "q?", "answer": "#### 1"}

    with pytest.raises(
        RowsError, match="gsm8k/train: 2 of 4 rows are malformed; the first is row 2, column 'answer'"
    ):
        _read("gsm8k", good, {"question": "q?"}, good, {"question": "q?"})


def test_two_rows_with_one_id_are_refused() -> None:
    row = {"id": "1", "document": "d", "summary": "s"}

    with pytest.raises(RowsError, match="used twice"):
        _read("xsum", row, row)


def test_columns_that_no_adapter_reads_are_ignored() -> None:
    (example,) = _read("gsm8k", {"question": "q?", "answer": "#### 1", "added_later": None})

    assert example.prompt == "q?"
