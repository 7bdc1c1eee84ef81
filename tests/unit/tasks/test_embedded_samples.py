"""The embedded samples: reproducible, disjoint, small, and honest."""

from collections import Counter
from pathlib import Path

import pytest

from reward_client.api import CodeReference
from tasks.api import Domain, Example, Split
from tasks.contamination import drop_contaminated
from tasks.mixing import Mixture
from tasks.samples import generate
from tasks.sources import embedded, load

SAMPLES = Path(generate.__file__).parent


def _examples(split: Split) -> list[Example]:
    return list(load(embedded(), splits=[split]).examples)


def test_the_files_are_what_the_script_writes() -> None:
    on_disk = {str(p.relative_to(SAMPLES)): p.read_text(encoding="utf-8") for p in SAMPLES.glob("*/*.jsonl")}

    assert on_disk == generate.files(), "run `python -m tasks.samples.generate`"


@pytest.mark.parametrize("split", [Split.TRAIN, Split.TEST])
def test_every_domain_has_rows_in_both_splits(split: Split) -> None:
    assert {e.domain for e in _examples(split)} == set(Domain)


def test_no_test_prompt_is_a_training_prompt() -> None:
    trained = {e.prompt for e in _examples(Split.TRAIN)}

    assert [e.example_id for e in _examples(Split.TEST) if e.prompt in trained] == []


def test_no_training_row_would_be_dropped_as_a_repeat_of_a_test_row() -> None:
    screened = drop_contaminated(_examples(Split.TRAIN), _examples(Split.TEST))

    assert [e.example_id for e in screened.dropped] == []


def test_no_prompt_is_asked_twice_in_a_split() -> None:
    counts = Counter(e.prompt for e in _examples(Split.TRAIN))

    assert [prompt for prompt, count in counts.items() if count > 1] == []


def test_every_sum_of_the_test_rows_is_practised_in_training() -> None:
    practised = {e.demonstration.reasoning for e in _examples(Split.TRAIN) if e.domain is Domain.MATH}
    tested = {e.demonstration.reasoning for e in _examples(Split.TEST) if e.domain is Domain.MATH}

    assert tested <= practised


def test_the_vocabulary_stays_small_enough_for_one_token_a_word() -> None:
    assert len(generate.vocabulary(generate.files())) <= 700


def _passes(code: str, tests: tuple[str, ...]) -> bool:
    space: dict[str, object] = {}
    exec(code, space)
    try:
        for test in tests:
            exec(test, space)
    except (AssertionError, TypeError):
        return False
    return True


def test_every_solution_passes_its_own_tests_and_no_other_function_does() -> None:
    rows = [e for split in (Split.TRAIN, Split.TEST) for e in _examples(split) if e.domain is Domain.CODE]
    bodies = {e.demonstration.answer.partition("return ")[2] for e in rows}

    for row in rows:
        assert isinstance(row.reference, CodeReference)
        name, body = row.reference.entry_point, row.demonstration.answer.partition("return ")[2]
        passing = {b for b in bodies if _passes(f"def {name}(x): return {b}", row.reference.tests)}
        assert passing == {body}, row.example_id


def test_the_right_option_is_at_every_place_about_equally_often() -> None:
    places = Counter(e.demonstration.answer for e in _examples(Split.TRAIN) if e.domain is Domain.SCIENCE)

    assert set(places) == {"A", "B", "C", "D"}
    assert max(places.values()) < 0.4 * sum(places.values())


def test_yes_and_no_are_about_equally_often_right() -> None:
    answers = Counter(e.demonstration.answer for e in _examples(Split.TRAIN) if e.domain is Domain.LOGIC)

    assert 0.4 < answers["yes"] / sum(answers.values()) < 0.6


def test_the_documentation_states_the_numbers_of_the_samples() -> None:
    text = (SAMPLES.parents[1] / "docs" / "data.md").read_text(encoding="utf-8")
    mixture = Mixture(_examples(Split.TRAIN), total=1000, seed=0)

    rows = [f"| `{name}` | {family.train} | {family.test} |" for name, family in generate.FAMILIES.items()]
    mix = [f"{s.domain.value:<10}{s.available:>10}{s.rows:>8}" for s in mixture.report()]
    words = f"{len(generate.vocabulary(generate.files()))} distinct words and signs"
    assert [line for line in (*rows, *mix, words) if line not in text] == []
