"""Logs: events with fields, one line a call, never user content.

Levels decide one thing: warning = someone should look, error = we broke a promise.
"""

import logging
import sys
import traceback
from collections import Counter
from itertools import islice
from typing import Literal

import structlog

from reward_server.api import Outcome, Sample, Score

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


def logger() -> structlog.typing.FilteringBoundLogger:
    """Return the logger of the server."""
    return structlog.get_logger()


def log_defect(reward: str, error: Exception) -> None:
    """Report an exception that a reward should not have raised."""
    logger().error("reward_defect", reward=reward, error=type(error).__name__, trace=trace_of(error))


def trace_of(error: Exception) -> list[str]:
    """Return where an exception was raised, innermost last; not what it says, which may quote a sample."""
    frames = traceback.extract_tb(error.__traceback__)[-MAX_TRACE_FRAMES:]
    return [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames]


class Tally:
    """What one call asked for and got, as fields of its log line."""

    def __init__(self) -> None:
        self._samples = 0
        self._cached = 0
        self._verdicts: Counter[str] = Counter()
        self._failures: Counter[str] = Counter()
        self._metadata: dict[str, str] = {}

    def add_sample(self, sample: Sample) -> None:
        """Count a sample, and keep the metadata pairs that all samples share, e.g. run and step."""
        if self._samples == 0:
            self._metadata = dict(islice(sample.metadata.items(), MAX_METADATA_PAIRS))
        elif self._metadata:
            pairs = self._metadata.items()
            self._metadata = {key: value for key, value in pairs if sample.metadata.get(key) == value}
        self._samples += 1

    def add_outcome(self, outcome: Outcome) -> None:
        """Count an outcome by its verdict or its kind of failure."""
        self._cached += outcome.cached
        if isinstance(outcome.result, Score):
            self._verdicts[outcome.result.verdict.value] += 1
        else:
            self._failures[outcome.result.kind.value] += 1

    def fields(self) -> dict[str, object]:
        """Return the counts, with metadata cut to size."""
        cut = slice(MAX_METADATA_CHARS)
        return {
            "samples": self._samples,
            "cached": self._cached,
            "verdicts": dict(self._verdicts),
            "failures": dict(self._failures),
            "metadata": {key[cut]: value[cut] for key, value in self._metadata.items()},
        }
