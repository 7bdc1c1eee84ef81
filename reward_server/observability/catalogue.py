"""Every metric, in one table: what it is called, what it counts, by which labels, where it is read.

`python -m reward_server.observability.catalogue` prints it as Markdown for docs/observability.md.
Labels are few and their values are ours: rewards, verdicts, kinds, lanes. Never a sample's id,
never a caller's text.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import Enum

from reward_server.observability.parts import LaneState, Process, SandboxState, State
from reward_server.observability.spreads import SPREADS
from reward_server.observability.totals import Totals
from reward_server.workers import Ended, Usage

Rows = Iterable[tuple[tuple[str, ...], float]]


class Kind(Enum):
    """How a number behaves: it only grows, or goes up and down, or is spread over buckets."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


@dataclass(frozen=True, kw_only=True, slots=True)
class View:
    """What metrics are read from. `versions` are the rewards' by name, `configuration` is its hash."""

    totals: Totals
    state: State
    process: Callable[[], Process]
    version: str
    configuration: str
    versions: Mapping[str, str]


@dataclass(frozen=True, kw_only=True, slots=True)
class Metric:
    """One metric, named as in Prometheus. `rows` gives label values and numbers."""

    name: str
    kind: Kind
    labels: tuple[str, ...]
    meaning: str
    rows: Callable[[View], Rows]


_COUNTER, _GAUGE = Kind.COUNTER, Kind.GAUGE


def _metric(name: str, kind: Kind, labels: str, meaning: str, rows: Callable[[View], Rows]) -> Metric:
    return Metric(name=f"assay_{name}", kind=kind, labels=tuple(labels.split()), meaning=meaning, rows=rows)


def _one(read: Callable[[View], float]) -> Callable[[View], Rows]:
    return lambda view: (((), read(view)),)


def _lanes(read: Callable[[LaneState], float]) -> Callable[[View], Rows]:
    return lambda view: (((name,), read(lane)) for name, lane in view.state.lanes.items())


def _sandbox(read: Callable[[SandboxState], float | None]) -> Callable[[View], Rows]:
    """Read one number of the sandbox; no row while there is none."""

    def rows(view: View) -> Rows:
        number = None if view.state.sandbox is None else read(view.state.sandbox)
        return () if number is None else (((), number),)

    return rows


def _workers(read: Callable[[Usage], float]) -> Callable[[View], Rows]:
    return lambda view: () if view.state.workers is None else (((), read(view.state.workers)),)


def _restarts(view: View) -> Rows:
    workers = view.state.workers
    if workers is None:
        return ()
    return (((reason.value,), workers.restarts.get(reason, 0)) for reason in Ended)


def _lookups(view: View) -> Rows:
    cache = view.state.cache
    return (("memory",), cache.hits), (("disk",), cache.stored_hits), (("miss",), cache.misses)


def _backend(view: View) -> Rows:
    return () if view.state.sandbox is None else (((view.state.sandbox.backend,), 1),)


def _passed(sandbox: SandboxState) -> float | None:
    return None if sandbox.examined_at is None else float(sandbox.refusal is None)


METRICS = (
    _metric(
        "calls_total",
        _COUNTER,
        "method code",
        "Calls that ended, by gRPC status",
        lambda view: view.totals.calls.copy().items(),
    ),
    _metric("calls_in_flight", _GAUGE, "", "Calls being answered", _one(lambda view: view.totals.in_flight)),
    _metric(
        "received_bytes_total",
        _COUNTER,
        "",
        "Bytes of requests",
        _one(lambda view: view.totals.received_bytes),
    ),
    _metric(
        "samples_total",
        _COUNTER,
        "reward verdict",
        "Samples that got a score",
        lambda view: view.totals.samples.copy().items(),
    ),
    _metric(
        "failures_total",
        _COUNTER,
        "reward kind",
        "Samples that got none, by kind of failure",
        lambda view: view.totals.failures.copy().items(),
    ),
    _metric(
        "cached_total",
        _COUNTER,
        "reward",
        "Samples answered from the cache, or with another call's equal sample",
        lambda view: view.totals.cached.copy().items(),
    ),
    _metric(
        "grading_seconds_total",
        _COUNTER,
        "reward",
        "Time spent on grading, on the event loop included",
        lambda view: view.totals.grading_seconds.copy().items(),
    ),
    _metric("cache_lookups_total", _COUNTER, "result", "Look-ups of scores: memory, disk or miss", _lookups),
    _metric(
        "cache_entries", _GAUGE, "", "Scores kept in memory", _one(lambda view: view.state.cache.entries)
    ),
    _metric(
        "flights",
        _GAUGE,
        "",
        "Pieces of queued grading that wait or run",
        _one(lambda view: view.state.flights),
    ),
    _metric(
        "flights_shared_total",
        _COUNTER,
        "",
        "Samples that shared the grading of an equal one in flight",
        _one(lambda view: view.state.shared),
    ),
    _metric(
        "lane_waiting", _GAUGE, "lane", "Samples that wait for a slot", _lanes(lambda lane: lane.waiting)
    ),
    _metric("lane_busy", _GAUGE, "lane", "Slots that are taken", _lanes(lambda lane: lane.busy)),
    _metric("lane_slots", _GAUGE, "lane", "Slots in all", _lanes(lambda lane: lane.slots)),
    _metric(
        "workers_alive", _GAUGE, "", "Worker processes, the spare included", _workers(lambda it: it.alive)
    ),
    _metric("workers_busy", _GAUGE, "", "Worker processes at work", _workers(lambda it: it.busy)),
    _metric("worker_restarts_total", _COUNTER, "reason", "Worker processes replaced", _restarts),
    _metric("sandbox_info", _GAUGE, "backend", "1 for the backend that runs programs", _backend),
    _metric("sandbox_slots", _GAUGE, "", "Programs that can run at once", _sandbox(lambda it: it.slots)),
    _metric("sandbox_busy", _GAUGE, "", "Slots taken by a program", _sandbox(lambda it: it.usage.busy)),
    _metric(
        "sandbox_programs_total", _COUNTER, "", "Programs started", _sandbox(lambda it: it.usage.programs)
    ),
    _metric(
        "sandbox_containers_replaced_total",
        _COUNTER,
        "",
        "Containers replaced: lost, worn out or killed",
        _sandbox(lambda it: it.usage.replaced),
    ),
    _metric(
        "sandbox_self_check_passed",
        _GAUGE,
        "",
        "1 if the last self-check passed, 0 if code is refused for it",
        _sandbox(_passed),
    ),
    _metric(
        "sandbox_self_check_timestamp_seconds",
        _GAUGE,
        "",
        "When the last self-check ended, in Unix time",
        _sandbox(lambda it: it.examined_at),
    ),
    _metric(
        "process_cpu_seconds_total",
        _COUNTER,
        "",
        "CPU time of the server's own process",
        _one(lambda view: view.process().cpu_seconds),
    ),
    _metric(
        "process_resident_memory_bytes",
        _GAUGE,
        "",
        "Memory of the server's own process",
        _one(lambda view: view.process().resident_bytes),
    ),
    _metric(
        "process_open_fds",
        _GAUGE,
        "",
        "File descriptors in use",
        _one(lambda view: view.process().open_files),
    ),
    _metric(
        "build_info",
        _GAUGE,
        "version configuration_hash",
        "1 for the server's version and configuration",
        lambda view: (((view.version, view.configuration), 1),),
    ),
    _metric(
        "reward_info",
        _GAUGE,
        "reward version",
        "1 for each reward's version",
        lambda view: (((name, version), 1) for name, version in view.versions.items()),
    ),
)


def table() -> str:
    """Return the metrics as the Markdown table of the documentation."""
    spreads = (("histogram", spread) for spread in SPREADS)
    metrics = ((metric.kind.value, metric) for metric in METRICS)
    rows = [
        f"| `{one.name}` | {kind} | {', '.join(f'`{label}`' for label in one.labels)} | {one.meaning} |"
        for kind, one in (*metrics, *spreads)
    ]
    return "\n".join(("| metric | type | labels | meaning |", "|---|---|---|---|", *rows))


if __name__ == "__main__":
    print(table())  # noqa: T201  (the command's output)
