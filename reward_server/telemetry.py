"""Logs: events with fields, one line a call, never user content.

Levels decide one thing: warning = someone should look, error = we broke a promise.
"""

import logging
import sys
import traceback
from collections import Counter
from collections.abc import Iterable, Mapping
from itertools import islice
from typing import Literal

import structlog

from reward_server.api import FailureKind, Outcome, Sample, Verdict
from reward_server.library_logs import LibraryHandler
from reward_server.observing import UNKNOWN, Part

MAX_METADATA_PAIRS = 16
MAX_METADATA_CHARS = 128
MAX_TRACE_FRAMES = 10


def configure(log_format: Literal["json", "console"]) -> None:
    """Send structured events to standard error."""
    renderer = (
        structlog.processors.JSONRenderer() if log_format == "json" else structlog.dev.ConsoleRenderer()
    )
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    LibraryHandler(logger().log, trace_of).install()


def logger() -> structlog.typing.FilteringBoundLogger:
    """Return the logger of the server."""
    return structlog.get_logger()


def log_defect(reward: str, error: Exception) -> None:
    """Report an exception that a reward should not have raised."""
    logger().error("reward_defect", reward=reward, error=type(error).__name__, trace=trace_of(error))


def trace_of(error: BaseException) -> list[str]:
    """Return where an exception was raised, innermost last; not what it says, which may quote a sample."""
    frames = traceback.extract_tb(error.__traceback__)[-MAX_TRACE_FRAMES:]
    return [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames]


class Tally:
    """What one call asked for and got, as fields of its log line and, by reward, for its observer."""

    def __init__(self) -> None:
        self.received_bytes = 0
        self.parts: dict[str, Part] = {}
        self._samples = 0
        self._metadata: dict[str, str] = {}

    def add_sample(self, sample: Sample) -> None:
        """Count a sample, and keep the metadata pairs that all samples share, e.g. run and step."""
        if self._samples == 0:
            self._metadata = dict(islice(sample.metadata.items(), MAX_METADATA_PAIRS))
        elif self._metadata and self._metadata != sample.metadata:
            pairs = self._metadata.items()
            self._metadata = {key: value for key, value in pairs if sample.metadata.get(key) == value}
        self._samples += 1

    def add_outcome(self, reward: str, outcome: Outcome) -> None:
        """Count an outcome by its verdict or its kind of failure."""
        name = reward if outcome.reward_version else UNKNOWN
        part = self.parts.get(name)
        if part is None:
            part = self.parts[name] = Part()
        part.add(outcome)

    def fields(self) -> dict[str, object]:
        """Return the counts and the times, with metadata cut to size."""
        parts = self.parts.values()
        cut = slice(MAX_METADATA_CHARS)
        return {
            "bytes": self.received_bytes,
            "samples": self._samples,
            "rewards": {name: part.samples for name, part in self.parts.items()},
            "cached": sum(part.cached for part in parts),
            "verdicts": _by_value(part.verdicts for part in parts),
            "failures": _by_value(part.failures for part in parts),
            "queue_ms_max": round(max((part.longest_queue_ms for part in parts), default=0.0), 2),
            "grade_ms": round(sum(part.grade_ms for part in parts), 2),
            "metadata": {key[cut]: value[cut] for key, value in self._metadata.items()},
        }


def _by_value(
    counters: Iterable[Mapping[Verdict, int]] | Iterable[Mapping[FailureKind, int]],
) -> dict[str, int]:
    total: Counter[str] = Counter()
    for counter in counters:
        for kind, count in counter.items():
            total[kind.value] += count
    return dict(total)
