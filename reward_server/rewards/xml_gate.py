"""The format gate in front of every reward: is this `<reasoning>…</reasoning><answer>…</answer>`?

Open when each of the four tags occurs exactly once, in that order, both blocks hold
visible text, and only white space lies outside them. Tags are case-sensitive.

Only `split`, `count` and `find` touch the text, so the cost is linear whatever the model
writes; a lazy regular expression over repeated tags would be quadratic. Most completions
hold few `<`, and are read once.
"""

from reward_server.rewards.folding import strip_invisible
from reward_server.values import value

REASONING_OPEN = "<reasoning>"
REASONING_CLOSE = "</reasoning>"
ANSWER_OPEN = "<answer>"
ANSWER_CLOSE = "</answer>"
_TAGS = (REASONING_OPEN, REASONING_CLOSE, ANSWER_OPEN, ANSWER_CLOSE)


@value
class Open:
    """The two blocks of a well-formed completion, stripped of invisible ends."""

    reasoning: str
    answer: str


@value
class Shut:
    """The first rule that the completion broke, as a sentence."""

    rule: str


# More `<` than that are looked through tag by tag, as a piece for each would cost more.
_FEW = 64
_NAMES = tuple(tag[1:] for tag in _TAGS)


def open_gate(completion: str) -> Open | Shut:
    """Split a completion into reasoning and answer, or say which rule it breaks."""
    return _bare(completion) or _judged(completion)


def _bare(completion: str) -> Open | None:
    """Open the gate of a completion with no other `<` than those of its tags; None says nothing."""
    pieces = completion.split("<", len(_TAGS) + 1)
    if len(pieces) != len(_TAGS) + 1:
        return None
    before, reasoning, between, answer, after = pieces
    first, second, third, fourth = _NAMES
    if not (
        reasoning.startswith(first)
        and between.startswith(second)
        and answer.startswith(third)
        and after.startswith(fourth)
    ):
        return None
    if (before + between[len(second) :] + after[len(fourth) :]).strip():
        return None
    reasoning = strip_invisible(reasoning[len(first) :])
    answer = strip_invisible(answer[len(third) :])
    return Open(reasoning=reasoning, answer=answer) if reasoning and answer else None


def _judged(completion: str) -> Open | Shut:
    starts = _few_starts(completion) or _starts(completion)
    if isinstance(starts, Shut):
        return starts
    first, second, third, fourth = starts
    after_reasoning = second + len(REASONING_CLOSE)
    outside = (
        ("before <reasoning>", completion[:first]),
        ("between </reasoning> and <answer>", completion[after_reasoning:third]),
        ("after </answer>", completion[fourth + len(ANSWER_CLOSE) :]),
    )
    for place, text in outside:
        if text and not text.isspace():
            return Shut(rule=f"there is text {place}, only white space may be there")
    reasoning = strip_invisible(completion[first + len(REASONING_OPEN) : second])
    answer = strip_invisible(completion[third + len(ANSWER_OPEN) : fourth])
    if not reasoning:
        return Shut(rule="the reasoning is empty")
    if not answer:
        return Shut(rule="the answer is empty")
    return Open(reasoning=reasoning, answer=answer)


def _few_starts(completion: str) -> list[int] | None:
    """Return where the four tags start, each once and in order; None says nothing."""
    before, *pieces = completion.split("<", _FEW)
    if len(pieces) == _FEW:
        return None
    starts: list[int] = []
    place, wanted = len(before), 0
    for piece in pieces:
        if piece.startswith(_NAMES):
            if wanted == len(_NAMES) or not piece.startswith(_NAMES[wanted]):
                return None
            starts.append(place)
            wanted += 1
        place += 1 + len(piece)
    return starts if wanted == len(_NAMES) else None


def _starts(completion: str) -> list[int] | Shut:
    """Return where the four tags start, or which rule they break."""
    if not strip_invisible(completion):
        return Shut(rule="the completion is empty")
    for tag in _TAGS:
        if (count := completion.count(tag)) != 1:
            return Shut(rule=f"{tag} occurs {count} times, it must occur exactly once")
    starts = [completion.find(tag) for tag in _TAGS]
    if starts != sorted(starts):
        return Shut(rule="the tags are out of order: reasoning comes first, then the answer")
    return starts
