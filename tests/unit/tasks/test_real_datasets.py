"""The adapters on the real datasets, with every oddity their rows are known for."""

from collections import Counter
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

import pytest

from reward_client.api import BooleanReference, ChoiceReference, CodeReference, MathReference
from tasks.api import Example, Split
from tasks.contamination import drop_contaminated
from tasks.datasets import DEFAULT_DATASETS
from tasks.sources import Directory, Loaded, load

pytestmark = pytest.mark.data

Reader = Callable[[str], Loaded]
REAL = {
    "gsm8k": {"train": 7473, "test": 660},
    "mbpp": {"train": 372, "validation": 90, "test": 250},  # 374 less 601 and 927
    "mbpp_sanitized": {"train": 120, "validation": 43, "test": 128},
    "arc_challenge": {"train": 1119, "validation": 299, "test": 1172},
    "arc_easy": {"train": 2251, "validation": 570, "test": 2376},
    "strategyqa": {"train": 2061, "validation": 229},
}


@pytest.fixture(scope="module")
def read(data_dir: Path) -> Reader:
    """Load every split of one dataset, once."""
    return lru_cache(lambda name: load(Directory(data_dir), splits=tuple(Split), datasets=[name]))


def _by_id(loaded: Loaded) -> dict[str, Example]:
    return {example.example_id.split("/", 1)[1]: example for example in loaded.examples}


@pytest.mark.parametrize(("name", "rows"), list(REAL.items()))
def test_every_row_is_read_and_splits_stay_apart(read: Reader, name: str, rows: dict[str, int]) -> None:
    loaded = read(name)

    assert Counter(e.split.value for e in loaded.examples) == rows
    assert len({e.example_id for e in loaded.examples}) == sum(rows.values())


def test_a_split_that_is_not_there_is_skipped_with_the_reason(read: Reader) -> None:
    assert set(read("gsm8k").skipped) == {"gsm8k/validation"}
    assert "validation.jsonl" in read("gsm8k").skipped["gsm8k/validation"]


def test_gsm8k_demonstrations_hold_no_calculator_annotations(read: Reader) -> None:
    examples = read("gsm8k").examples

    assert not [e.example_id for e in examples if "<<" in e.demonstration.reasoning]
    assert all(e.demonstration.reasoning and "####" not in e.demonstration.answer for e in examples)


def test_gsm8k_answers_keep_their_commas_and_signs(read: Reader) -> None:
    answers = [e.reference.answer for e in read("gsm8k").examples if isinstance(e.reference, MathReference)]

    assert sum("," in answer for answer in answers) == 88
    assert sum(answer.startswith("-") for answer in answers) == 4


def test_mbpp_rows_that_nobody_can_solve_are_left_out_by_name(read: Reader) -> None:
    assert set(read("mbpp").excluded) == {"mbpp/train/601", "mbpp/train/927"}
    assert all("class" in why for why in read("mbpp").excluded.values())


@pytest.mark.parametrize("name", ["mbpp", "mbpp_sanitized"])
def test_every_mbpp_prompt_names_the_function_that_its_tests_call(read: Reader, name: str) -> None:
    for example in read(name).examples:
        assert isinstance(example.reference, CodeReference)
        entry = example.reference.entry_point
        assert all(f"{entry}(" in test.replace(" (", "(") for test in example.reference.tests), (
            example.example_id
        )
        assert f"`{entry}`" in example.prompt
        assert f"def {entry}" in example.demonstration.answer


def test_mbpp_line_ends_are_normalised(read: Reader) -> None:
    assert not [e.example_id for e in read("mbpp").examples if "\r" in e.demonstration.answer + e.prompt]


def test_sanitised_mbpp_carries_the_imports_of_its_tests(read: Reader) -> None:
    references = [e.reference for e in read("mbpp_sanitized").examples]

    imports = [r.imports for r in references if isinstance(r, CodeReference) and r.imports]
    assert ("import math",) in imports


@pytest.mark.parametrize("name", ["arc_challenge", "arc_easy"])
def test_arc_options_are_listed_under_the_labels_of_the_row(read: Reader, name: str) -> None:
    for example in read(name).examples:
        assert isinstance(example.reference, ChoiceReference)
        pairs = zip(example.reference.labels, example.reference.texts, strict=True)
        assert example.prompt.endswith("\n".join(f"{label}. {text}" for label, text in pairs))


def test_arc_keeps_numbered_labels_and_odd_numbers_of_options(read: Reader) -> None:
    references = [
        e.reference for e in read("arc_challenge").examples if isinstance(e.reference, ChoiceReference)
    ]

    assert {len(r.labels) for r in references} == {3, 4, 5}
    assert any(r.labels[0] == "1" for r in references)


def test_strategyqa_asks_for_yes_or_no_and_demonstrates_it(read: Reader) -> None:
    for example in read("strategyqa").examples:
        assert isinstance(example.reference, BooleanReference)
        assert example.prompt.endswith("\nAnswer yes or no.")
        assert example.demonstration.answer == ("yes" if example.reference.value else "no")
        assert example.demonstration.reasoning


@pytest.mark.parametrize(
    ("train", "why"),
    [
        ("train/602", "same text as test/217"),
        ("train/704", "same text and code as test/248"),
        ("train/872", "same text as test/216"),
        ("train/625", "same code as validation/591"),
        ("train/699", "same code as validation/595"),
    ],
)
def test_known_mbpp_repeats_across_splits_are_dropped(read: Reader, train: str, why: str) -> None:
    examples = _by_id(read("mbpp"))
    held_out = [e for e in examples.values() if e.split is not Split.TRAIN]

    screened = drop_contaminated([examples[train]], held_out)

    assert screened.dropped == (examples[train],), why


def test_arc_questions_that_recur_with_the_same_options_are_dropped(read: Reader) -> None:
    examples = [e for name in ("arc_challenge", "arc_easy") for e in read(name).examples]
    train = [e for e in examples if e.split is Split.TRAIN]
    held_out = [e for e in examples if e.split is not Split.TRAIN]
    questions, with_options = {e.question for e in held_out}, {(e.question, _options(e)) for e in held_out}

    kept, dropped = drop_contaminated(train, held_out)

    assert len(dropped) == 23
    assert [e.example_id for e in kept if (e.question, _options(e)) in with_options] == []
    assert sum(e.question in questions for e in kept) == 11


def test_the_number_of_repeats_in_all_datasets_is_known(read: Reader) -> None:
    examples = [e for name in DEFAULT_DATASETS if name in REAL for e in read(name).examples]
    train = [e for e in examples if e.split is Split.TRAIN]
    held_out = [e for e in examples if e.split is not Split.TRAIN]

    dropped = Counter(e.dataset for e in drop_contaminated(train, held_out).dropped)

    assert dropped == {"gsm8k": 4, "mbpp": 11, "arc_challenge": 9, "arc_easy": 14}


def _options(example: Example) -> frozenset[str]:
    assert isinstance(example.reference, ChoiceReference)
    return frozenset(example.reference.texts)
