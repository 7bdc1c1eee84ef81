"""One sentence says what was found, and claims no more than the numbers do."""

import pytest

from evals.comparing.compare import compare
from evals.comparing.headline import of_comparison, of_run
from evals.grade import Graded
from evals.results import summarise
from reward_client.api import Failure
from tests.unit.evals.graded_examples import graded, score


def side(right: int, *, of: int) -> list[Graded]:
    return [graded(f"p{n}", score(float(n < right))) for n in range(of)]


def test_a_rise_beyond_chance_is_called_one_with_its_interval_and_p() -> None:
    said = of_comparison(compare(side(2, of=20), side(12, of=20))["all"])

    assert said.startswith("accuracy rose from 10.0 to 60.0 %: +50.0 points [+")
    assert said.endswith("p = 0.002, over 20 prompts")


def test_a_fall_beyond_chance_is_called_one() -> None:
    assert of_comparison(compare(side(12, of=20), side(2, of=20))["all"]).startswith(
        "accuracy fell from 60.0"
    )


@pytest.mark.parametrize(("before", "after", "of"), [(0, 1, 1), (2, 4, 20), (20, 20, 20)])
def test_what_chance_explains_is_not_called_a_change(before: int, after: int, of: int) -> None:
    """One prompt that rose has a bootstrap interval without width, and shows nothing all the same."""
    row = compare(side(before, of=of), side(after, of=of))["all"]

    assert row.verdict == ""
    assert of_comparison(row).startswith("accuracy did not measurably change, from")


def test_what_would_have_shown_is_said_where_it_is_known() -> None:
    assert "would mostly show" in of_comparison(compare(side(2, of=20), side(4, of=20))["all"])
    assert "would mostly show" not in of_comparison(compare(side(20, of=20), side(20, of=20))["all"])


def test_one_evaluation_is_summed_up_and_nothing_graded_is_said() -> None:
    lost = Failure(kind="SANDBOX", message="")

    assert (
        of_run(summarise(side(5, of=10))["all"])
        == "accuracy 50.0 % [23.7, 76.3], 100.0 % well-formed, over 10 prompts"
    )
    assert of_run(summarise([graded("a", lost)])["all"]) == "nothing could be graded"
