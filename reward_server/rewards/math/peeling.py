"""What stands around an answer, and which text is the answer.

Peels math delimiters, boxes, emphasis, "the answer is", `####`. Prose is never searched
for numbers: only these closed forms are taken off.
"""

import re

from reward_server.rewards.math.boxes import SeveralAnswersError, in_box
from reward_server.rewards.math.leads import without_closing, without_lead

_MOST_LAYERS = 12
_MOST_NESTED_BOXES = 3
_PAIRS = (
    ("$$", "$$"), ("$", "$"), ("\\(", "\\)"), ("\\[", "\\]"), ("**", "**"), ("__", "__"), ("`", "`"),
    ("*", "*"), ('"', '"'), ("'", "'"), ("<b>", "</b>"), ("<strong>", "</strong>"),
)  # fmt: skip
_OPENING = frozenset(left[0] for left, _ in _PAIRS)
# Colour, size and weight say nothing.
_DRESS = re.compile(
    r"\\(?:text)?color\s*\{[A-Za-z0-9!]{1,20}\}|\\(?:bf|large|Large|LARGE|huge|Huge)(?![A-Za-z])(?!\s*\{)"
    r"|\\(?:underline|boldsymbol|bm|mathit|mathsf|(?P<text>textnormal|textup|textsf|texttt|emph))(?=\s*\{)"
)
_MINUS = re.compile(r"(?:negative|minus) +(?=[\\\d$.])", re.IGNORECASE)
# Words stay wrapped, for they are compared as words.
_WRAPPED_NUMBER = re.compile(r"\\(?:text|textbf|mathbf|mathrm|mbox|bf)\s*\{([-+$\d\\.][^{}]*)\}")
# How models that were taught a fixed last sentence end.
_HOPES = ("I hope it is correct", "I hope this is correct")


def peel(text: str) -> str:
    """Return the answer without what stands around it.

    Raises:
        SeveralAnswersError: no single answer is named.
    """
    text = _without_hope(text)
    if "\\" in text:
        text = _DRESS.sub(_undressed, text)
    if "####" in text:
        text = _after_marker(text)
    for _ in range(_MOST_NESTED_BOXES):
        if "\\boxed" in text or "\\fbox" in text:
            text = in_box(text)
    for _ in range(_MOST_LAYERS):
        inner = without_closing(_one_layer(text))
        if inner == text:
            break
        text = inner
    return text


def _undressed(found: re.Match[str]) -> str:
    return "\\text" if found["text"] else ""


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
    bare = text.strip().rstrip(".,;:\\ 。")
    for left, right in _PAIRS if bare[:1] in _OPENING else ():
        if bare.startswith(left) and bare.endswith(right) and len(bare) > len(left) + len(right):
            inside = bare[len(left) : -len(right)]
            bare_inside = inside.replace("\\$", "") if left[0] == "$" else inside
            if left not in bare_inside and right not in bare_inside and inside[-1] != "\\":
                return inside
    if bare[:1] == "\\" and (wrapped := _WRAPPED_NUMBER.fullmatch(bare)):
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
