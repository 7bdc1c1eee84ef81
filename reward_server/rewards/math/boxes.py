"""Which text in boxes is the answer: `\\boxed{5}`, what several boxes hold, and what is said around them.

The last sentence before a box and all that follows it may not take it back. Several
different boxes are a list if nothing but separators is between them, else no single answer.
"""

import re

from reward_server.rewards.math.leads import DOUBTS
from reward_server.rewards.math.tree import StrangeAnswerError
from reward_server.rewards.math.units import parse_unit
from reward_server.rewards.math.words import NUMBER_WORDS

_BOXES = ("\\boxed", "\\fbox")
_CANCELS = re.compile(
    r"(?<![a-z])(?:not|no|or|and|never|isn't|wrong|incorrect|either|maybe)(?![a-z])", re.IGNORECASE
)
# Of an earlier sentence, only what speaks of the answer counts.
_CANCELS_FROM_AFAR = re.compile(r"(?<![a-z])(?:wrong|incorrect|never|either|maybe)(?![a-z])", re.IGNORECASE)
_SENTENCE_ENDS = re.compile(r"[.!?][$)\]]? |, \$?\\?so ", re.IGNORECASE)
# Between the boxes of a list; `y_1 =` before one names it.
_BETWEEN = re.compile(
    r"(?:[\s,;.$&]|\\[()\[\],;:! \\]|\\q?quad|\\(?:text|mbox|textrm)\s*\{[\s,]*(?:and|or)?[\s,]*\}"
    r"|(?<![a-z])(?:and|or)(?![a-z])|(?<![a-z])[a-z](?:_\{?\w\}?)?\s*=)*+",
    re.IGNORECASE,
)
_ENDS = re.compile(r"\\end\s*\{\w{1,20}\*?\}")
_MOST_UNIT_WORDS = 2
_WORD = re.compile(r"[A-Za-z']+")
_SPACE = r"(?:\s|\\left(?![a-z])|\\right(?![a-z])|\\[!,;: ])+"
# A space between two digits is kept: "4 0" is not 40, and "3 1/2" is not 31/2.
_SPACING = re.compile(rf"(?<![0-9]){_SPACE}|{_SPACE}(?![0-9])")


class SeveralAnswersError(StrangeAnswerError):
    """The text names more than one answer, or takes its answer back."""


def canonical(text: str) -> str:
    """Return the text without what only spaces it out, and with one name for each fraction."""
    spaced = " " in text or "\\" in text
    return (_SPACING.sub("", text) if spaced else text).replace("dfrac", "frac").replace("tfrac", "frac")


def in_box(text: str) -> str:
    """Return what the boxes of a text hold, with a unit that follows.

    Raises:
        SeveralAnswersError: no single answer is named.
        StrangeAnswerError: a box that is never closed.
    """
    boxes, outside = _split_boxes(text)
    if not boxes:
        raise StrangeAnswerError("a box that is never closed")
    first, *between, after = outside
    if len(boxes) == 1 and not first.strip("$ ") and not after.strip("$ ."):
        return boxes[0]
    sentence = _last_sentence(first)
    is_list = len({canonical(box) for box in boxes}) > 1
    if is_list and not all(map(_BETWEEN.fullmatch, between)):
        raise SeveralAnswersError(f"{len(boxes)} different boxes")
    said = [sentence, after, *(words for words in between if not _BETWEEN.fullmatch(words))]
    if any(map(_CANCELS.search, said)) or _CANCELS_FROM_AFAR.search(first) or any(map(str.isdigit, after)):
        raise SeveralAnswersError("the words around the box take it back")
    answer = ", ".join(boxes) if is_list else boxes[-1]
    # What follows may be a unit: `\\boxed{5} cm`.
    after = _ENDS.sub("", after).strip().rstrip(" .$*)]\\").lstrip("$").lstrip()
    return f"{answer} {after}" if after and not _is_prose(after) else answer


def _last_sentence(text: str) -> str:
    """Return what follows the last full stop, or the last "so"."""
    ends = [found.end() for found in _SENTENCE_ENDS.finditer(text)]
    return text[ends[-1] :] if ends else text


def _is_prose(after: str) -> bool:
    """Tell whether what follows a box is the rest of its sentence, which adds nothing to a value.

    Raises:
        SeveralAnswersError: it doubts the value, or changes it.
    """
    words = [word.lower() for word in _WORD.findall(after)]
    if len(words) <= _MOST_UNIT_WORDS or parse_unit(after) is not None:
        return False
    if not (DOUBTS | NUMBER_WORDS).isdisjoint(words):
        raise SeveralAnswersError("the words after the box take it back")
    return True


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
