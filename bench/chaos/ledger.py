"""What was sent, what came back, and what is wrong with it."""

import math
import threading
import time
from collections import Counter
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, field

from bench.chaos.extras import VERSIONED
from bench.chaos.samples import Kind
from reward_client.api import Failure, Outcome, RewardClientError, Sample, Score

# So many whole answers in a row, and a caller is served again.
QUIET_CALLS = 10


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """One call that ended. Times are those of `time.monotonic`."""

    caller: str
    sent: float
    ended: float
    whole: bool


@dataclass(kw_only=True)
class Ledger:
    """The books of one scenario, kept by several threads. `usual` are the callers that work all the time."""

    usual: frozenset[str] = frozenset()
    sent: dict[str, Kind] = field(default_factory=dict[str, Kind])
    outcomes: list[Outcome] = field(default_factory=list[Outcome])
    answers: list[Answer] = field(default_factory=list[Answer])
    errors: list[RewardClientError] = field(default_factory=list[RewardClientError])
    retries: Counter[str] = field(default_factory=Counter[str])
    steps: int = 0
    struck: float = math.inf
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def send(self, batch: Mapping[str, Kind]) -> list[Sample]:
        """Write down what is about to be sent."""
        with self._lock:
            self.sent |= batch
        return [kind.sample(sample_id) for sample_id, kind in batch.items()]

    def receive(self, caller: str, sent: float, outcomes: Sequence[Outcome]) -> None:
        """Write down what a call brought."""
        whole = all(math.isnan(self._value(each)) == isinstance(each.result, Failure) for each in outcomes)
        with self._lock:
            self.outcomes += outcomes
            self.answers.append(Answer(caller=caller, sent=sent, ended=time.monotonic(), whole=whole))

    def refuse(self, caller: str, sent: float, error: RewardClientError) -> None:
        """Write down a call that ended in an error: its samples are lost to the caller."""
        with self._lock:
            self.errors.append(error)
            self.answers.append(Answer(caller=caller, sent=sent, ended=time.monotonic(), whole=False))

    def retried(self, code: str) -> None:
        with self._lock:
            self.retries[code] += 1

    def strike(self) -> None:
        """Note that the fault happens now; the last one counts."""
        self.struck = time.monotonic()

    def row(self, name: str, *, excused: Container[str]) -> "Row":
        """Close the books; failures of other kinds than `excused` are broken promises."""
        counts = Counter(outcome.sample_id for outcome in self.outcomes)
        scores = [each for each in self.outcomes if isinstance(each.result, Score)]
        wrong = [each for each in scores if not self._is_right(each)]
        failures = {
            each.result.kind: each.result.message
            for each in self.outcomes
            if isinstance(each.result, Failure)
        }
        return Row(
            name=name,
            sent=len(self.sent),
            scores=len(scores),
            failures=Counter(each.result.kind for each in self.outcomes if isinstance(each.result, Failure)),
            inexcusable=sum(
                isinstance(each.result, Failure) and each.result.kind not in excused for each in self.outcomes
            ),
            lost=len(self.sent.keys() - counts.keys()),
            duplicated=sum(count - 1 for count in counts.values()) + len(counts.keys() - self.sent.keys()),
            false_zeros=sum(
                each.result.value == 0.0 for each in wrong if not isinstance(each.result, Failure)
            ),
            wrong=len(wrong),
            retries=self.retries,
            steps=self.steps,
            versions=len({each.reward_version for each in scores if self._is_versioned(each)}),
            longest_s=max((each.ended - each.sent for each in self.answers), default=0.0),
            recovery_s=self.recovery_s(),
            remarks=[f"{kind}: {message}" for kind, message in failures.items()]
            + [str(each) for each in self.errors[:3]]
            + [f"{each.sample_id} should be {self._value(each)!r}: {each}" for each in wrong[:3]],
        )

    def recovery_s(self) -> float | None:
        """Seconds from the last strike until the answers to all usual callers were whole, and stayed so."""
        with self._lock:
            answers = sorted(self.answers, key=lambda each: each.ended)
        waits: list[float] = []
        for caller in self.usual:
            own = [each for each in answers if each.caller == caller and each.sent > self.struck]
            broken = max((place for place, each in enumerate(own) if not each.whole), default=-1)
            if len(own) - 1 - broken < QUIET_CALLS:
                return None
            waits.append(own[broken + 1].ended - self.struck)
        return max(waits, default=None)

    def _is_versioned(self, outcome: Outcome) -> bool:
        kind = self.sent.get(outcome.sample_id)
        return kind is not None and kind.reward == VERSIONED

    def _value(self, outcome: Outcome) -> float:
        kind = self.sent.get(outcome.sample_id)
        return math.nan if kind is None else kind.value

    def _is_right(self, outcome: Outcome) -> bool:
        return isinstance(outcome.result, Score) and math.isclose(
            outcome.result.value, self._value(outcome), abs_tol=1e-9
        )


@dataclass(frozen=True, kw_only=True)
class Row:
    """One row of the table. `recovery_s` is None where some caller was never answered whole again."""

    name: str
    sent: int
    scores: int
    failures: Counter[str]
    inexcusable: int
    lost: int
    duplicated: int
    false_zeros: int
    wrong: int
    retries: Counter[str]
    steps: int
    versions: int
    longest_s: float
    recovery_s: float | None
    remarks: list[str]

    @property
    def broken(self) -> int:
        """How many promises were broken."""
        return self.lost + self.duplicated + self.wrong + self.inexcusable
