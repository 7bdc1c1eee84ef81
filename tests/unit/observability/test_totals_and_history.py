"""What is counted of calls, and what the last minutes look like."""

import pytest

from reward_server.api import CostClass, Failure, FailureKind, Outcome, Score, Verdict
from reward_server.observability.history import KEPT, History, percentile_ms
from reward_server.observability.parts import CacheState, LaneState, State
from reward_server.observability.totals import Totals, by_first
from reward_server.observing import CallReport, Part
from reward_server.registry import Registry
from reward_server.scores import ScoringConfig
from tests.fake_rewards import Held, Inline

RIGHT = Score(value=1.0, components={}, verdict=Verdict.CORRECT, explanation="")
LOST = Failure(kind=FailureKind.SANDBOX, message="")
STATE = State(
    stopping=False,
    lanes={"worker": LaneState(waiting=3, slots=2, busy=2)},
    cache=CacheState(entries=0, hits=0, stored_hits=0, misses=0),
    flights=0,
    shared=0,
    workers=None,
    sandbox=None,
)


def part(
    *results: Score | Failure, cached: bool = False, queue_ms: float = 1.0, grade_ms: float = 2.0
) -> Part:
    counted = Part()
    for result in results:
        counted.add(
            Outcome(
                sample_id="s",
                result=result,
                reward_version="1",
                cached=cached,
                queue_ms=queue_ms,
                grade_ms=grade_ms,
            )
        )
    return counted


def call(code: str = "OK", **parts: Part) -> CallReport:
    return CallReport(
        rpc="Score",
        code=code,
        began_ns=0,
        seconds=0.5,
        received_bytes=10,
        traceparent="",
        parts=parts,
    )


@pytest.fixture
def totals() -> Totals:
    rewards = (
        Inline(),
        Held("worked", CostClass.WORKER),
        Held("run", CostClass.SANDBOX),
    )
    return Totals(Registry(rewards, ScoringConfig()))


def test_calls_are_counted_by_status_and_samples_by_reward(totals: Totals) -> None:
    totals.in_flight = 3
    totals.add(call(inline=part(RIGHT, RIGHT, LOST), run=part(RIGHT, cached=True)))
    totals.add(call(code="INVALID_ARGUMENT"))

    assert totals.in_flight == 1
    assert totals.received_bytes == 20
    assert totals.calls == {("Score", "OK"): 1, ("Score", "INVALID_ARGUMENT"): 1}
    assert by_first(totals.samples) == {"inline": {"CORRECT": 2}, "run": {"CORRECT": 1}}
    assert by_first(totals.failures) == {"inline": {"SANDBOX": 1}}
    assert totals.cached["run",] == 1


def test_what_was_not_graded_here_took_no_time_here(totals: Totals) -> None:
    totals.add(call(inline=part(RIGHT, RIGHT), run=part(RIGHT, cached=True, grade_ms=1e6)))

    assert totals.grading_seconds == {
        ("inline",): 0.004,
        ("worked",): 0.0,
        ("run",): 0.0,
        ("unknown",): 0.0,
    }


@pytest.mark.parametrize(
    ("rewards", "expected"),
    [
        ((), "NONE"),
        (("inline",), "INLINE"),
        (("unknown",), "INLINE"),
        (("inline", "worked"), "WORKER"),
        (("run", "inline", "worked"), "SANDBOX"),
    ],
)
def test_a_call_is_of_the_dearest_class_of_its_rewards(
    totals: Totals, rewards: tuple[str, ...], expected: str
) -> None:
    assert totals.cost_class(call(**{name: part(RIGHT) for name in rewards})) == expected


def test_every_kind_of_failure_is_there_before_the_first_one(totals: Totals) -> None:
    assert totals.failures["run", "SANDBOX"] == 0
    assert len(totals.failures) == (3 + 1) * len(FailureKind)


def test_a_point_holds_what_came_since_the_one_before(totals: Totals) -> None:
    history = History(totals)
    totals.add(call(inline=part(RIGHT, LOST)))
    history.add_call(0.5)
    history.add_lag(0.002)
    history.add_lag(0.001)
    history.tick(STATE, at=100.0, seconds=1.0)
    history.tick(STATE, at=101.0, seconds=1.0)

    first, second = history.points
    assert (first.samples["inline"], first.failures, first.call_p99_ms, first.lag_ms) == (2, 1, 500.0, 2.0)
    assert (second.samples["inline"], second.failures, second.call_p99_ms, second.lag_ms) == (0, 0, None, 0.0)
    assert first.waiting == {"worker": 3}


def test_only_the_last_minutes_are_kept(totals: Totals) -> None:
    history = History(totals)
    for second in range(KEPT + 10):
        history.tick(STATE, at=float(second), seconds=1.0)

    assert len(history.points) == KEPT
    assert history.points[-1].at == KEPT + 9


@pytest.mark.parametrize(
    ("ordered", "share", "expected"),
    [
        ([], 0.5, None),
        ([0.001], 0.99, 1.0),
        ([0.001, 0.002, 0.003, 0.004], 0.5, 3.0),
        ([0.0] * 99 + [1.0], 0.99, 1e3),
    ],
)
def test_percentiles_are_of_the_nearest_rank(
    ordered: list[float], share: float, expected: float | None
) -> None:
    assert percentile_ms(ordered, share) == expected
