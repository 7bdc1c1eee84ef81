"""The histograms: what is spread over buckets, and where the buckets end."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Spread:
    """One histogram, named as in Prometheus, of seconds; `bounds` are the buckets' upper ends."""

    name: str
    labels: tuple[str, ...]
    meaning: str
    bounds: tuple[float, ...]


CALL_SECONDS = Spread(
    name="assay_call_duration_seconds",
    labels=("method", "cost_class"),
    meaning="Time from a call's arrival to its answer; cost_class is the dearest among its rewards",
    bounds=(
        0.0005,
        0.001,
        0.0025,
        0.005,
        0.01,
        0.025,
        0.05,
        0.1,
        0.25,
        0.5,
        1.0,
        2.5,
        5.0,
        10.0,
        30.0,
        60.0,
        300.0,
    ),
)
QUEUE_SECONDS = Spread(
    name="assay_queue_seconds",
    labels=("reward", "cost_class"),
    meaning="Time a piece of grading waited for a worker or the sandbox",
    bounds=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0),
)
GRADE_SECONDS = Spread(
    name="assay_grade_seconds",
    labels=("reward", "cost_class"),
    meaning="Time a piece of grading took in a worker or the sandbox, its wait left out",
    bounds=(0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0),
)
LOOP_LAG_SECONDS = Spread(
    name="assay_event_loop_lag_seconds",
    labels=(),
    meaning="How late the event loop woke up a task that asked for a time",
    bounds=(0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0),
)
SPREADS = (CALL_SECONDS, QUEUE_SECONDS, GRADE_SECONDS, LOOP_LAG_SECONDS)
