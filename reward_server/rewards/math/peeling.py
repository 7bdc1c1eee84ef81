"""What stands around an answer, and which text is the answer.

Peels math delimiters, boxes, emphasis, "the answer is", `####`. Prose is never searched
for numbers: only these closed forms are taken off. Two different boxes, or a box that
the words around it take back, are no single answer.
"""

import re

from reward_server.rewards.math.leads import without_closing, without_lead
from reward_server.rewards.math.tree import StrangeAnswerError

_MOST_LAYERS = 12
_MOST_NESTED_BOXES = 3
_PAIRS = (
    ("$$", "$$"), ("$", "$"), ("\\(", "\\)"), ("\\[", "\\]"), ("**", "**"), ("__", "__"), ("`", "`"),
    ("*", "*"), ('"', '"'), ("'", "'"), ("<b>", "</b>"), ("<strong>", "</strong>"),
)  # fmt: skip
# Colour and size say nothing.
_DRESS = re.compile(
    r"\\(?:text)?color\s*\{[A-Za-z0-9!]{1,20}\}|\\(?:bf|large|Large|LARGE|huge|Huge)(?![A-Za-z])(?!\s*\{)"
)
_MINUS = re.compile(r"(?:negative|minus) +(?=[\\\d$.])", re.IGNORECASE)
# Words stay wrapped, for they are compared as words.
_WRAPPED_NUMBER = re.compile(r"\\(?:text|textbf|mathbf|mathrm|mbox|bf)\s*\{([-+$\d\\.][^{}]*)\}")
_BOXES = ("\\boxed", "\\fbox")
_CANCELS = re.compile(
    r"(?<![a-z])(?:not|no|or|and|never|isn't|wrong|incorrect|either|maybe)(?![a-z])", re.IGNORECASE
)
_SPACE = r"(?:\s|\\left(?![a-z])|\\right(?![a-z])|\\[!,;: ])+"
# A space between two digits is kept: "4 0" is not 40, and "3 1/2" is not 31/2.
_SPACING = re.compile(rf"(?<![0-9]){_SPACE}|{_SPACE}(?![0-9])")


# How models that were taught a fixed last sentence end.
_HOPES = ("I hope it is correct", "I hope this is correct")


class SeveralAnswersError(StrangeAnswerError):
    """The text names more than one answer, or takes its answer back."""


def peel(text: str) -> str:
    """Return the answer without what stands around it.

    Raises:
        SeveralAnswersError: no single answer is named.
    """
    text = _without_hope(text)
    if "\\" in text:
        text = _DRESS.sub("", text)
    if "####" in text:
        text = _after_marker(text)
    for _ in range(_MOST_NESTED_BOXES):
        if "\\boxed" in text or "\\fbox" in text:
            text = _in_box(text)
    for _ in range(_MOST_LAYERS):
        inner = without_closing(_one_layer(text))
        if inner == text:
            break
        text = inner
    return text


def canonical(text: str) -> str:
    """Return the text without what only spaces it out, and with one name for each fraction."""
    return _SPACING.sub("", text).replace("dfrac", "frac").replace("tfrac", "frac")


def _after_marker(text: str) -> str:
    after = text.partition("####")[2]
    if "####" in after:
        raise SeveralAnswersError("more than one ####")
    return after.strip()


def _without_hope(text: str) -> str:
    bare = text.rstrip(" .")
    for hope in _HOPES:
        if bare.endswith(hope):
            return bare[: -len(hope)]
    return text


def _one_layer(text: str) -> str:
    bare = text.strip().rstrip(".,;:\\ ")
    for left, right in _PAIRS:
        if bare.startswith(left) and bare.endswith(right) and len(bare) > len(left) + len(right):
            inside = bare[len(left) : -len(right)]
            bare_inside = inside.replace("\\$", "") if left[0] == "$" else inside
            if left not in bare_inside and right not in bare_inside and inside[-1] != "\\":
                return inside
    if wrapped := _WRAPPED_NUMBER.fullmatch(bare):
        return wrapped[1]
    if bare[:1] in ("=", "#"):
        return bare[1:]
    if bare.startswith("\\approx"):
        return bare[len("\\approx") :]
    if (announced := without_lead(bare)) is not None:
        return announced
    if minus := _MINUS.match(bare):
        return "-" + bare[minus.end() :]
    return bare


def _in_box(text: str) -> str:
    boxes, outside = _split_boxes(text)
    if not boxes:
        raise StrangeAnswerError("a box that is never closed")
    if len({canonical(box) for box in boxes}) > 1:
        raise SeveralAnswersError(f"{len(boxes)} different boxes")
    around = " ".join(outside)
    if _CANCELS.search(around) or any(character.isdigit() for character in outside[-1]):
        raise SeveralAnswersError("the words around the box take it back")
    # What follows may be a unit: `\boxed{5} cm`.
    after = outside[-1].strip().rstrip(" .$*)]\\")
    after = after.lstrip("$").lstrip()
    return f"{boxes[-1]} {after}" if after else boxes[-1]


def _split_boxes(text: str) -> tuple[list[str], list[str]]:
    """Return the contents of the outermost boxes, and the pieces of text around them; one linear scan."""
    boxes: list[str] = []
    outside: list[str] = []
    position = 0
    while (found := _next_box(text, position)) is not None:
        start, opening = found
        end = _closing_brace(text, opening)
        if end is None:
            break
        outside.append(text[position:start])
        boxes.append(text[opening + 1 : end])
        position = end + 1
    outside.append(text[position:])
    return boxes, outside


def _next_box(text: str, position: int) -> tuple[int, int] | None:
    """Return where the next box begins and where its brace is."""
    starts = [(text.find(box, position), len(box)) for box in _BOXES]
    found = [(start, start + length) for start, length in starts if start >= 0]
    if not found:
        return None
    start, after = min(found)
    opening = text.find("{", after)
    return (start, opening) if opening >= 0 and not text[after:opening].strip() else None


def _closing_brace(text: str, opening: int) -> int | None:
    depth = 0
    for index in range(opening, len(text)):
        character = text[index]
        if character == "{":
            depth += 1
        elif character == "}":
            depth -= 1
            if depth == 0:
                return index
    return None
