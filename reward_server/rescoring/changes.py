"""What a second grading changed: comparing two outcomes, and counting what came of many. Pure."""

import math
from collections import Counter
from dataclasses import dataclass, field
from enum import Enum

from reward_server.api import Outcome, Score
from reward_server.recording.rows import Recorded

# Sums of the same numbers in another order differ by less.
_TOLERANCE = 1e-9


class Change(Enum):
    """What became of one sample. A failure says nothing of the graders, so its end is no change of theirs."""

    SAME = "same"
    CHANGED = "changed"
    NOW_FAILED = "now failed"
    FAILED_THEN = "failed then"
    FAILED_BOTH = "failed twice"


@dataclass(frozen=True, kw_only=True, slots=True)
class Rescored:
    """One sample of a recording, and its outcome of today."""

    recorded: Recorded
    now: Outcome

    @property
    def change(self) -> Change:
        """Compare the two outcomes: equal are two scores of one value and one verdict."""
        then, now = self.recorded.outcome.result, self.now.result
        match isinstance(then, Score), isinstance(now, Score):
            case False, False:
                return Change.FAILED_BOTH
            case False, True:
                return Change.FAILED_THEN
            case True, False:
                return Change.NOW_FAILED
            case _:
                same = word(self.recorded.outcome) == word(self.now) and abs(self.difference) <= _TOLERANCE
                return Change.SAME if same else Change.CHANGED

    @property
    def difference(self) -> float:
        """How much the value rose; NaN where one of the outcomes has none."""
        then, now = self.recorded.outcome.result, self.now.result
        return now.value - then.value if isinstance(then, Score) and isinstance(now, Score) else math.nan


def word(outcome: Outcome) -> str:
    """Return an outcome's verdict, or its kind of failure."""
    result = outcome.result
    return result.verdict.value if isinstance(result, Score) else result.kind.value


@dataclass(kw_only=True, slots=True)
class RewardTally:
    """What came of one reward's samples. `risen` is by how much their values rose, added up."""

    changes: Counter[Change] = field(default_factory=Counter[Change])
    words: Counter[tuple[str, str]] = field(default_factory=Counter[tuple[str, str]])
    risen: float = 0.0
    versions_then: set[str] = field(default_factory=set[str])
    version_now: str = ""

    def add(self, rescored: Rescored) -> None:
        """Count one sample."""
        change, then = rescored.change, rescored.recorded.outcome
        self.changes[change] += 1
        self.versions_then.add(then.reward_version)
        self.version_now = rescored.now.reward_version
        if change is not Change.SAME:
            self.words[word(then), word(rescored.now)] += 1
        if change is Change.CHANGED:
            self.risen += rescored.difference


@dataclass(kw_only=True, slots=True)
class Tally:
    """What came of a recording. `first` are the first changed samples, at most `keep`."""

    keep: int
    rewards: dict[str, RewardTally] = field(default_factory=dict[str, RewardTally])
    first: list[Rescored] = field(default_factory=list[Rescored])

    def add(self, rescored: Rescored) -> None:
        """Count one sample."""
        self.rewards.setdefault(rescored.recorded.sample.reward, RewardTally()).add(rescored)
        if is_change(rescored.change) and len(self.first) < self.keep:
            self.first.append(rescored)

    @property
    def samples(self) -> int:
        """How many samples were counted."""
        return sum(reward.changes.total() for reward in self.rewards.values())

    @property
    def changed(self) -> int:
        """How many scores are different or gone."""
        counts = (reward.changes for reward in self.rewards.values())
        return sum(each[change] for each in counts for change in Change if is_change(change))


def is_change(change: Change) -> bool:
    """Tell whether a score that was given is not given today."""
    return change in (Change.CHANGED, Change.NOW_FAILED)


def table(tally: Tally) -> str:
    """Write the counts for a terminal: each reward, what turned into what, and the first samples."""
    lines = [f"{'reward':<12}" + "".join(f"{each.value:>14}" for each in Change) + f"{'mean change':>14}"]
    for name, reward in sorted(tally.rewards.items()):
        graded = reward.changes[Change.SAME] + reward.changes[Change.CHANGED]
        mean = f"{reward.risen / graded:+.4f}" if graded else "-"
        counts = "".join(f"{reward.changes[each]:>14,}" for each in Change)
        lines.append(f"{_printable(name):<12}{counts}{mean:>14}")
    lines += [line for name, reward in sorted(tally.rewards.items()) for line in _words(name, reward)]
    for rescored in tally.first:
        lines += ["", *_shown(rescored)]
    return "\n".join(lines) + "\n"


def _words(name: str, reward: RewardTally) -> list[str]:
    if not reward.words:
        return []
    then = ", ".join(sorted(reward.versions_then))
    lines = ["", f"{_printable(name)}: version {then} then, {reward.version_now} now"]
    turned = sorted(reward.words.items(), key=lambda item: -item[1])
    return lines + [f"{count:>10,}  {before} -> {after}" for (before, after), count in turned]


def _shown(rescored: Rescored) -> list[str]:
    recorded = rescored.recorded
    title = f"{recorded.sample.reward!r} sample {recorded.sample.sample_id!r} of call {recorded.call_id}"
    return [title, f"  then {_told(recorded.outcome)}", f"  now  {_told(rescored.now)}"]


def _told(outcome: Outcome) -> str:
    result = outcome.result
    if isinstance(result, Score):
        return f"{result.value:.3f} {result.verdict.value}: {_printable(result.explanation)}"
    return f"{result.kind.value}: {_printable(result.message)}"


def _printable(text: str) -> str:
    """Escape what a terminal would act on; the text may quote a model."""
    return "".join(each if each.isprintable() else repr(each)[1:-1] for each in text)
