"""Which prompts of two evaluations can be compared, and why others cannot. Nothing is dropped in silence."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from evals.grade import Graded

ONLY_BEFORE = "asked only before"
ONLY_AFTER = "asked only after"
OTHER_QUESTION = "another question under the same id"
UNGRADED = "ungraded on a side"


@dataclass(frozen=True, kw_only=True, slots=True)
class Pairing:
    """The ids of the prompts graded on both sides, and how many others there are by why."""

    prompts: frozenset[str]
    left_out: Mapping[str, int]


def pair(before: Sequence[Graded], after: Sequence[Graded]) -> Pairing:
    """Pair by example id; a prompt counts when both sides asked the same question and have a score of it."""
    mine, theirs = _questions(before), _questions(after)
    scored = {item.example_id for item in before if item.score is not None}
    scored &= {item.example_id for item in after if item.score is not None}
    reasons = {name: _reason(name, mine, theirs, scored) for name in mine.keys() | theirs.keys()}
    counts = Counter(reason for reason in reasons.values() if reason)
    return Pairing(
        prompts=frozenset(name for name, reason in reasons.items() if not reason),
        left_out=dict(sorted(counts.items())),
    )


def _questions(graded: Sequence[Graded]) -> Mapping[str, tuple[str, str]]:
    """Return what was asked and who graded it, by example id."""
    return {item.example_id: (item.prompt, item.reward) for item in graded}


def _reason(
    name: str,
    mine: Mapping[str, tuple[str, str]],
    theirs: Mapping[str, tuple[str, str]],
    scored: set[str],
) -> str:
    """Say why a prompt cannot be compared; empty where it can."""
    if name not in theirs:
        return ONLY_BEFORE
    if name not in mine:
        return ONLY_AFTER
    if mine[name] != theirs[name]:
        return OTHER_QUESTION
    return "" if name in scored else UNGRADED
