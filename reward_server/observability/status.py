"""What the page shows, as the JSON document it is drawn from."""

import time
from collections.abc import Sequence

from reward_server.observability.catalogue import View
from reward_server.observability.history import Point
from reward_server.observability.parts import SandboxState, State
from reward_server.observability.totals import by_first

# Rates are of so many last seconds.
_RATE_S = 10
# Workers are warm within this, even on a busy machine.
WORKERS_START_S = 30.0


def status(view: View, points: Sequence[Point]) -> dict[str, object]:
    """Put the view and the last minutes into one document."""
    totals, state, process = view.totals, view.state, view.process()
    return {
        "now": time.time(),
        "version": view.version,
        "configuration_hash": view.configuration,
        "health": "draining" if state.stopping else "serving",
        "complaints": complaints(state, watched_s=sum(point.seconds for point in points)),
        "calls": {"in_flight": totals.in_flight, "by_code": by_first(totals.calls.copy())},
        "received_bytes": totals.received_bytes,
        "rewards": _rewards(view, points),
        "lanes": {
            name: {"waiting": lane.waiting, "busy": lane.busy, "slots": lane.slots}
            for name, lane in state.lanes.items()
        },
        "cache": {
            "entries": state.cache.entries,
            "memory": state.cache.hits,
            "disk": state.cache.stored_hits,
            "miss": state.cache.misses,
            "shared": state.shared,
        },
        "workers": None
        if state.workers is None
        else {
            "alive": state.workers.alive,
            "busy": state.workers.busy,
            "restarts": {reason.value: count for reason, count in state.workers.restarts.items()},
        },
        "sandbox": None if state.sandbox is None else _sandbox(state.sandbox),
        "process": {
            "cpu_seconds": process.cpu_seconds,
            "resident_bytes": process.resident_bytes,
            "open_files": process.open_files,
        },
        "history": _history(points),
    }


def complaints(state: State, *, watched_s: float) -> list[str]:
    """Say what somebody should look at, one sentence each; `watched_s` is how long there was to start."""
    found: list[str] = []
    if state.stopping:
        found.append("the server is draining: calls in flight are answered, new ones are refused")
    if state.sandbox is not None and state.sandbox.refusal is not None:
        found.append(state.sandbox.refusal)
    if state.workers is not None and state.workers.alive == 0 and watched_s > WORKERS_START_S:
        found.append("no worker process is alive: what needs one waits or fails")
    return found


def _rewards(view: View, points: Sequence[Point]) -> list[dict[str, object]]:
    verdicts = by_first(view.totals.samples.copy())
    failures = by_first(view.totals.failures.copy())
    last = points[-_RATE_S:]
    seconds = sum(point.seconds for point in last)
    return [
        {
            "name": name,
            "version": view.versions.get(name, ""),
            "samples": sum(verdicts.get(name, {}).values()) + sum(failures.get(name, {}).values()),
            "per_second": sum(point.samples.get(name, 0) for point in last) / seconds if seconds else 0.0,
            "cached": view.totals.cached[name,],
            "verdicts": verdicts.get(name, {}),
            "failures": failures.get(name, {}),
        }
        for (name,) in view.totals.cached
        if name in view.versions or name in failures
    ]


def _sandbox(sandbox: SandboxState) -> dict[str, object]:
    return {
        "backend": sandbox.backend,
        "slots": sandbox.slots,
        "busy": sandbox.usage.busy,
        "programs": sandbox.usage.programs,
        "replaced": sandbox.usage.replaced,
        "passed": None if sandbox.examined_at is None else sandbox.refusal is None,
        "examined_at": sandbox.examined_at,
    }


def _history(points: Sequence[Point]) -> dict[str, object]:
    """Turn points into columns; rates are per second."""

    def rate(count: int, point: Point) -> float:
        return round(count / point.seconds, 2)

    names = sorted({name for point in points for name, count in point.samples.items() if count})
    lanes = sorted({name for point in points for name in point.waiting})
    return {
        "at": [round(point.at, 1) for point in points],
        "samples": {name: [rate(point.samples.get(name, 0), point) for point in points] for name in names},
        "failures": [rate(point.failures, point) for point in points],
        "cached": [rate(point.cached, point) for point in points],
        "call_p50_ms": [point.call_p50_ms for point in points],
        "call_p99_ms": [point.call_p99_ms for point in points],
        "lag_ms": [round(point.lag_ms, 2) for point in points],
        "waiting": {name: [point.waiting.get(name, 0) for point in points] for name in lanes},
    }
