"""What models put around a short answer, and how to take it off.

Peeling goes one layer at a time (bold, brackets, `\\boxed{…}`, "the answer is …") so that
a grader can look at the text after each layer and stop at the first one it knows. The
lists are closed on purpose: anything else around an answer is prose, and prose is never
searched for an answer.
"""

from collections.abc import Iterator

# Characters; a longer field holds an essay, not a short answer.
LONGEST_ANSWER = 2_000

# More layers than any honest answer wears; bounds the work on hostile nesting.
_MOST_LAYERS = 8

_PAIRS = (
    ("**", "**"), ("__", "__"), ("*", "*"), ("_", "_"), ("`", "`"), ('"', '"'), ("'", "'"),
    ("$$", "$$"), ("$", "$"), ("\\(", "\\)"), ("\\[", "\\]"), ("(", ")"), ("[", "]"), ("{", "}"),
    ("\\boxed{", "}"), ("\\fbox{", "}"), ("\\text{", "}"), ("\\textbf{", "}"), ("\\mathrm{", "}"),
    ("\\mathbf{", "}"),
)  # fmt: skip
_LEADS = (
    "final answer:", "final answer is", "the final answer is:", "the final answer is",
    "the correct answer is:", "the correct answer is", "the correct option is", "the correct choice is",
    "correct answer:", "the answer is:", "the answer is", "the answer:", "answer is", "answer:", "answer",
    "the best answer is", "the right answer is", "my answer is", "my final answer is", "so the answer is",
    "therefore, the answer is", "i choose", "the option is", "option", "choice",
    "it is", "it's", "#### ", "- ",
)  # fmt: skip
_TAILS = (" is the correct answer", " is the right answer", " is the answer", " is correct", " is right")
_END_MARKS = ".,;:!"


def layers(text: str) -> Iterator[str]:
    """Yield `text` as it stands, then with one layer after another taken off."""
    yield text
    for _ in range(_MOST_LAYERS):
        inner = _peel(text)
        if not inner or inner == text:
            return
        text = inner
        yield text


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
    folded = text.casefold()
    if len(folded) != len(text):
        return text
    for lead in _LEADS:
        if folded.startswith(lead) and not (lead[-1].isalpha() and text[len(lead) : len(lead) + 1].isalnum()):
            return text[len(lead) :].lstrip(" :")
    for tail in _TAILS:
        if folded.endswith(tail):
            return text[: -len(tail)].strip()
    return text
