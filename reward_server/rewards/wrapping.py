"""What models put around a short answer, and how to take it off.

Peeling goes one layer at a time (bold, brackets, `\\boxed{…}`, "the answer is …") so that
a grader can look at the text after each layer and stop at the first one it knows. The
lists are closed on purpose: anything else around an answer is prose, and prose is never
searched for an answer.
"""

import re
from collections.abc import Iterator

# Characters; a longer field holds an essay, not a short answer.
LONGEST_ANSWER = 2_000
# Characters on top of these that folding may drop: spaces and what draws nothing.
MOST_INVISIBLE = 20_000

# More layers than any honest answer wears; bounds the work on hostile nesting.
_MOST_LAYERS = 8

_PAIRS = (
    ("**", "**"), ("__", "__"), ("*", "*"), ("_", "_"), ("`", "`"), ('"', '"'), ("'", "'"),
    ("$$", "$$"), ("$", "$"), ("\\(", "\\)"), ("\\[", "\\]"), ("(", ")"), ("[", "]"), ("{", "}"),
    ("\\boxed{", "}"), ("\\fbox{", "}"), ("\\text{", "}"), ("\\textbf{", "}"), ("\\mathrm{", "}"),
    ("\\mathbf{", "}"), ("<b>", "</b>"), ("<strong>", "</strong>"), ("<", ">"),
)  # fmt: skip
_LEAD = re.compile(
    r"(?:(?:so|thus|hence|therefore),? +|"
    r"(?:(?:the|my|our) )?(?:(?:final|correct|best|right|selected|chosen) )*"
    r"(?:answer|ans|option|choice|letter)(?: is)?(?![^\W_])|(?:the )?(?:statement|claim) is(?![^\W_])|"
    r"i(?: would)? (?:choose|select|pick)(?![^\W_])|(?:it|that|this)(?: is|'s)(?![^\W_])|"
    r"#{1,6} |[-*•] )[ :]*",
    re.IGNORECASE,
)
# Marks that may also stand inside an answer, as in "**B.** owl" and "\textbf{(B)}\ owl".
_MARKS = re.compile(r"\*\*|__|`|\$|\\(?:boxed|fbox|text|textbf|mathrm|mathbf)(?=\{)|\\[ ,;]")
_TAILS = (" is the correct answer", " is the right answer", " is the answer", " is correct", " is right")
# A tick says nothing more; a cross would take the answer back.
_END_MARKS = ".,;:!✅✔☑ "


def layers(text: str) -> Iterator[str]:
    """Yield `text` as it stands, then with one layer after another taken off."""
    yield text
    for _ in range(_MOST_LAYERS):
        inner = _peel(text)
        if not inner or inner == text:
            return
        text = inner
        yield text


def candidates(text: str) -> Iterator[str]:
    """Yield what the answer may be inside its wrapping, also without marks inside the text."""
    yield from layers(text)
    if (unmarked := " ".join(_MARKS.sub("", text).split())) != text:
        yield from layers(unmarked)


def _peel(text: str) -> str:
    bare = text.rstrip(_END_MARKS).strip()
    if bare != text:
        return bare
    for left, right in _PAIRS:
        if len(text) > len(left) + len(right) and text.startswith(left) and text.endswith(right):
            inner = text[len(left) : len(text) - len(right)]
            if _is_one_pair(inner, left[-1], right[-1]):
                return inner.strip()
    return _without_phrase(text)


def _is_one_pair(inner: str, left: str, right: str) -> bool:
    """Tell whether the marks around `inner` belong together, unlike those of "(B) or (C)"."""
    if left == right:
        return left not in inner
    return inner.find(right) < 0 or -1 < inner.find(left) < inner.find(right)


def _without_phrase(text: str) -> str:
    """Take off a known opening or closing phrase, which must end at a word boundary."""
    if lead := _LEAD.match(text):
        return text[lead.end() :]
    folded = text.casefold()
    for tail in _TAILS:
        if folded.endswith(tail) and len(folded) == len(text):
            return text[: -len(tail)].strip()
    return text
