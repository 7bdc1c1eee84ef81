"""The table states numbers with their doubt, and what they hang on."""

import dataclasses
import io

from rich.console import Console, RenderableType

from evals.asking.completions import Sampling
from evals.comparing.compare import Metric, compare, flips
from evals.grade import Graded
from evals.results import reward_versions, summarise
from evals.store import Results
from evals.table import comparison_table, flips_table, footnotes, results_table, unlike
from reward_client.api import Failure
from tasks.api import Domain
from tests.unit.evals.graded_examples import graded, score


def results(found: list[Graded]) -> Results:
    return Results(
        source="runs/latest",
        split="test",
        prompt_hash="8c1d02aa",
        sampling=Sampling(samples=1, temperature=0.0, seed=0, max_new_tokens=64),
        reward_versions=reward_versions(found),
        left_out={},
        truncated=0,
        seconds={},
        domains=summarise(found),
    )


def shown(renderable: RenderableType, *, width: int = 80) -> str:
    out = io.StringIO()
    Console(file=out, width=width).print(renderable)
    return out.getvalue()


def found_items() -> list[Graded]:
    return [
        *(graded(f"a{index}", score(1.0)) for index in range(3)),
        graded("a3", score(0.0, form=0.0)),
        graded("b", Failure(kind="SANDBOX", message=""), domain=Domain.IDEATION),
    ]


def test_rows_state_means_with_their_intervals_within_80_columns() -> None:
    text = shown(results_table(results(found_items())))

    rows = {cells[0]: " ".join(cells[1:]) for line in text.splitlines() if (cells := line.split())}
    assert rows["math"] == "4 75.0 [30, 95] 75.0 75.0 [30, 95] 100.0 0"
    assert rows["ideation"] == "1 - - - - 1"
    assert rows["all"] == "5 75.0 [30, 95] 75.0 75.0 [30, 95] 100.0 1"
    assert "…" not in text


def test_certain_looking_numbers_fit_too() -> None:
    text = shown(
        results_table(results([graded(f"a{i}", score(1.0), domain=Domain.IDEATION) for i in range(2000)]))
    )

    assert "100.0 [100, 100]" in text
    assert "…" not in text


def test_what_could_not_be_graded_or_asked_is_said() -> None:
    base = results(found_items())
    notes = "\n".join(footnotes(dataclasses.replace(base, left_out={"no completion": 3}, truncated=2)))

    assert "5 completions, greedy, 2 cut at 64 tokens, prompt template 8c1d02aa" in notes
    assert "ungraded, and in no number above: SANDBOX 1" in notes
    assert "examples left out: no completion 3" in notes
    assert "graded by math 1.0.0+3f2a9c1b" in notes


def test_sampling_and_its_absence_are_said() -> None:
    base = results(found_items())
    drawn = dataclasses.replace(
        base, sampling=Sampling(samples=4, temperature=0.7, seed=3, max_new_tokens=64)
    )

    assert "4 a prompt at temperature 0.7, seed 3" in footnotes(drawn)[0]
    assert footnotes(dataclasses.replace(base, sampling=None))[0] == "5 completions, sampled elsewhere"


def test_servers_that_differ_are_said() -> None:
    mixed = results([graded("a", score(1.0), version="1.0.0+a"), graded("b", score(1.0), version="1.0.0+b")])

    assert any(
        "graded in 2 versions, the servers differ: 1.0.0+a, 1.0.0+b" in note for note in footnotes(mixed)
    )


def test_a_comparison_shows_change_flips_and_chance() -> None:
    before = [graded(name, score(0.0)) for name in "abc"]
    after = [graded(name, score(1.0)) for name in "abc"]

    text = shown(
        comparison_table(
            compare(before, after), metric=Metric.ACCURACY, before=results(before), after=results(after)
        )
    )

    rows = {cells[0]: " ".join(cells[1:]) for line in text.splitlines() if (cells := line.split())}
    assert rows["all"] == "3 0.0 → 100.0 +100.0 [+100, +100] 3 0 0.25 -"
    assert "not like for like" not in text
    assert "…" not in text


def test_falls_and_rises_share_the_list_of_flips() -> None:
    before = [graded(f"{value}{index}", score(float(value))) for value in (0, 1) for index in range(20)]
    after = [graded(f"{value}{index}", score(1.0 - value)) for value in (0, 1) for index in range(20)]

    text = shown(flips_table(flips(before, after), at_most=6), width=100)

    assert "6 of 40 changed prompts" in text
    assert text.count("gsm8k/test/1") == text.count("gsm8k/test/0") == 3


def test_pass_at_k_is_shown_where_prompts_have_several_completions() -> None:
    found = [graded("a", score(float(index == 0)), index=index) for index in range(4)]

    assert "math pass@k: 1: 25.0" in shown(results_table(results(found)), width=100)
    assert "pass@k" not in shown(results_table(results(found_items())))


def test_evaluations_that_differ_in_more_than_the_policy_are_named() -> None:
    mine = results(found_items())

    said = unlike(mine, dataclasses.replace(mine, prompt_hash="ffff", reward_versions={"math": ("2.0.0",)}))

    assert said == [
        "not like for like: prompt template was '8c1d02aa', then 'ffff'",
        "not like for like: version of reward 'math' was '1.0.0+3f2a9c1b', then '2.0.0'",
    ]
    assert unlike(mine, mine) == []
