"""What the core tells those who watch it: values, at the end of a call and of a piece of queued work.

Nothing here knows who listens. Whoever does is called on the event loop, so he must not
take his time, and gets counts and times alone: no text of a caller ever passes here but
the `traceparent` header, whose form is checked before use.
"""

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from reward_server.api import CostClass, FailureKind, Outcome, Score, Verdict

# The name under which samples of rewards that are not here are counted; theirs is the caller's text.
UNKNOWN = "unknown"
# W3C Trace Context, level 1: version, trace id, parent id, flags.
_TRACEPARENT = re.compile(r"00-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")


@dataclass(kw_only=True, slots=True)
class Part:
    """What one reward did in one call. Times are in milliseconds since the call began."""

    samples: int = 0
    cached: int = 0
    verdicts: Counter[Verdict] = field(default_factory=Counter[Verdict])
    failures: Counter[FailureKind] = field(default_factory=Counter[FailureKind])
    grade_ms: float = 0.0
    longest_queue_ms: float = 0.0
    begun_ms: float = float("inf")
    ended_ms: float = 0.0

    def add(self, outcome: Outcome) -> None:
        """Count an outcome; the time of one that was not computed here is nobody's work."""
        self.samples += 1
        result = outcome.result
        if isinstance(result, Score):
            self.verdicts[result.verdict] += 1
        else:
            self.failures[result.kind] += 1
        if outcome.cached:
            self.cached += 1
            return
        queue_ms = outcome.queue_ms
        ended_ms = queue_ms + outcome.grade_ms
        self.grade_ms += outcome.grade_ms
        if queue_ms > self.longest_queue_ms:
            self.longest_queue_ms = queue_ms
        if queue_ms < self.begun_ms:
            self.begun_ms = queue_ms
        if ended_ms > self.ended_ms:
            self.ended_ms = ended_ms


@dataclass(frozen=True, kw_only=True, slots=True)
class CallReport:
    """One call that has ended. `began_ns` is Unix time; `parts` are by reward.

    `traceparent` is the caller's, as it came: "" when there was none.
    """

    rpc: str
    code: str
    began_ns: int
    seconds: float
    received_bytes: int
    traceparent: str
    parts: Mapping[str, Part]


class Observer(Protocol):
    """Whoever counts calls and work."""

    def call_began(self) -> None:
        """Take note of a call; `call_ended` follows."""
        ...

    def call_ended(self, call: CallReport) -> str:
        """Take note of a call; returns the id of its trace, "" when it has none."""
        ...

    def work_ended(self, reward: str, cost_class: CostClass, queue_ms: float, grade_ms: float) -> None:
        """Take note of one piece of queued grading, however many samples share it."""
        ...


class Unobserved:
    """Nobody watches; a caller's trace id still reaches the log line."""

    def call_began(self) -> None:
        pass

    def call_ended(self, call: CallReport) -> str:
        return trace_id(call.traceparent)

    def work_ended(self, reward: str, cost_class: CostClass, queue_ms: float, grade_ms: float) -> None:
        pass


UNOBSERVED = Unobserved()


def trace_id(traceparent: str) -> str:
    """Return the trace id of a W3C traceparent header, "" when it is none."""
    found = _TRACEPARENT.fullmatch(traceparent)
    return found[1] if found else ""
