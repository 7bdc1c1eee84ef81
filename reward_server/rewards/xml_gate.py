"""The format gate in front of every reward: is this `<reasoning>…</reasoning><answer>…</answer>`?

Open when each of the four tags occurs exactly once, in that order, both blocks hold
visible text, and only white space lies outside them. Tags are case-sensitive.

Only `count` and `find` touch the text, so the cost is linear whatever the model writes;
a lazy regular expression over repeated tags would be quadratic.
"""

from dataclasses import dataclass

from reward_server.rewards.folding import strip_invisible

REASONING_OPEN = "<reasoning>"
REASONING_CLOSE = "</reasoning>"
ANSWER_OPEN = "<answer>"
ANSWER_CLOSE = "</answer>"
_TAGS = (REASONING_OPEN, REASONING_CLOSE, ANSWER_OPEN, ANSWER_CLOSE)


@dataclass(frozen=True, kw_only=True, slots=True)
class Open:
    """The two blocks of a well-formed completion, stripped of invisible ends."""

    reasoning: str
    answer: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Shut:
    """The first rule that the completion broke, as a sentence."""

    rule: str


def open_gate(completion: str) -> Open | Shut:
    """Split a completion into reasoning and answer, or say which rule it breaks."""
    if not strip_invisible(completion):
        return Shut(rule="the completion is empty")
    for tag in _TAGS:
        if (count := completion.count(tag)) != 1:
            return Shut(rule=f"{tag} occurs {count} times, it must occur exactly once")
    starts = [completion.find(tag) for tag in _TAGS]
    if starts != sorted(starts):
        return Shut(rule="the tags are out of order: reasoning comes first, then the answer")
    ends = [start + len(tag) for start, tag in zip(starts, _TAGS, strict=True)]
    outside = (
        ("before <reasoning>", completion[: starts[0]]),
        ("between </reasoning> and <answer>", completion[ends[1] : starts[2]]),
        ("after </answer>", completion[ends[3] :]),
    )
    for place, text in outside:
        if text and not text.isspace():
            return Shut(rule=f"there is text {place}, only white space may be there")
    reasoning = strip_invisible(completion[ends[0] : starts[1]])
    answer = strip_invisible(completion[ends[2] : starts[3]])
    if not reasoning:
        return Shut(rule="the reasoning is empty")
    if not answer:
        return Shut(rule="the answer is empty")
    return Open(reasoning=reasoning, answer=answer)
