"""The last minutes of a server, one point a second, for the page's small charts.

Written on the event loop; what readers get is a tuple that nobody changes.
"""

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from reward_server.observability.parts import State
from reward_server.observability.totals import Totals

EVERY_S = 1.0
KEPT = 300
# Calls of one second whose durations are looked at; more say nothing new of its percentiles.
_MOST_CALLS = 4_096


@dataclass(frozen=True, kw_only=True, slots=True)
class Point:
    """What happened in one second. `at` is Unix time; durations are None where no call ended."""

    at: float
    seconds: float
    samples: Mapping[str, int]
    failures: int
    cached: int
    call_p50_ms: float | None
    call_p99_ms: float | None
    lag_ms: float
    waiting: Mapping[str, int]


class History:
    """Collects what happens between two ticks."""

    def __init__(self, totals: Totals) -> None:
        self.points: tuple[Point, ...] = ()
        self._totals = totals
        self._calls: deque[float] = deque(maxlen=_MOST_CALLS)
        self._lag_s = 0.0
        self._before = _count(totals)

    def add_call(self, seconds: float) -> None:
        """Take note of how long a call took."""
        self._calls.append(seconds)

    def add_lag(self, seconds: float) -> None:
        """Take note of how late the event loop was."""
        self._lag_s = max(self._lag_s, seconds)

    def tick(self, state: State, *, at: float, seconds: float) -> None:
        """Close a point: `seconds` have passed since the one before."""
        now, before = _count(self._totals), self._before
        durations = sorted(self._calls)
        point = Point(
            at=at,
            seconds=seconds,
            samples={name: count - before.samples.get(name, 0) for name, count in now.samples.items()},
            failures=now.failures - before.failures,
            cached=now.cached - before.cached,
            call_p50_ms=percentile_ms(durations, 0.50),
            call_p99_ms=percentile_ms(durations, 0.99),
            lag_ms=self._lag_s * 1e3,
            waiting={name: lane.waiting for name, lane in state.lanes.items()},
        )
        self.points = (*self.points[-(KEPT - 1) :], point)
        self._before = now
        self._calls.clear()
        self._lag_s = 0.0


def percentile_ms(ordered: Sequence[float], share: float) -> float | None:
    """Return the nearest-rank percentile of ordered seconds in milliseconds, None of nothing."""
    if not ordered:
        return None
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] * 1e3


@dataclass(frozen=True, kw_only=True, slots=True)
class _Count:
    samples: Mapping[str, int]
    failures: int
    cached: int


def _count(totals: Totals) -> _Count:
    samples: dict[str, int] = {}
    for counts in (totals.samples, totals.failures):
        for (reward, _), count in counts.items():
            samples[reward] = samples.get(reward, 0) + count
    return _Count(samples=samples, failures=sum(totals.failures.values()), cached=sum(totals.cached.values()))
