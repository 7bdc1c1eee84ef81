"""The faults of `python -m bench.chaos`, briefly: two real servers, one client, samples of known value.

Those that need an engine that may be killed are in test_sandbox_engine.py and test_sandbox_recovery.py.
"""

import threading
from collections.abc import Iterator

import pytest

from bench.chaos.lab import Lab, lab
from bench.chaos.ledger import Ledger
from bench.chaos.samples import FORMAT_ONLY, NO_SCORE, ON_THE_SPOT, RIGHT, ZERO, numbered
from bench.chaos.scenarios import SCENARIOS, Scenario, play, warm_up
from reward_client.api import Failure, Outcome, Score

STRIKES_S = 1.0
WITHOUT_ENGINE = [each for each in SCENARIOS[1:] if not each.needs_engine]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with lab(tmp_path_factory.mktemp("chaos"), engine=False) as site:
        warm_up(site)
        yield site
    assert site.defects() == []
    assert not [each for each in threading.enumerate() if each.name in ("proxy", "reward_client")]


@pytest.mark.parametrize("scenario", WITHOUT_ENGINE, ids=lambda each: each.name)
def test_nothing_is_lost_duplicated_or_wrong_while(scenario: Scenario, site: Lab) -> None:
    row = play(scenario, site, seconds=STRIKES_S)

    assert row.broken == 0, row
    assert row.recovery_s is not None, "the usual callers were not served again"
    assert row.scores, "nothing was graded"
    assert row.steps, "the trainer did no step"


def outcome(sample_id: str, result: Score | Failure) -> Outcome:
    return Outcome(
        sample_id=sample_id, result=result, reward_version="1", cached=False, queue_ms=0.0, grade_ms=0.0
    )


def score(value: float) -> Score:
    return Score(value=value, components={}, verdict="CORRECT", explanation="")


def test_the_books_tell_what_is_lost_duplicated_wrong_and_inexcusable() -> None:
    ledger = Ledger()
    samples = ledger.send(numbered(ON_THE_SPOT[:3] * 2, "s"))
    right, wrong, zero, *rest = [each.sample_id for each in samples]
    ledger.receive("a", 0.0, [outcome(right, score(RIGHT)), outcome(right, score(RIGHT))])
    ledger.receive("a", 0.0, [outcome(wrong, score(ZERO)), outcome(zero, score(ZERO))])
    ledger.receive("a", 0.0, [outcome(rest[0], Failure(kind="GRADER", message="lost"))])
    row = ledger.row("books", excused=())

    assert (row.sent, row.scores, row.lost, row.duplicated) == (6, 4, 2, 1)
    assert (row.wrong, row.false_zeros, row.inexcusable, row.broken) == (1, 1, 1, 5)
    assert ledger.row("books", excused=("GRADER",)).broken == 4
    assert {kind.value for kind in ON_THE_SPOT} == {RIGHT, FORMAT_ONLY, ZERO}
    assert NO_SCORE != NO_SCORE, "what should get no score is wrong with any"
