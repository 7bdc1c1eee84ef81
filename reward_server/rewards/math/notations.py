"""Notations that are rewritten as text before it is cut into tokens.

Only what one closed pattern can tell, in one linear pass; each stands for LaTeX that the
parser reads.
"""

import re

_THIN_SPACE = re.compile(r"(?<=\d)\\,(?=\d{3}(?!\d))")
_THOUSANDS = re.compile(r"(?<![\d.,])\d{1,3}(?:,\d{3})+(?![\d,])")
_TIMES = re.compile(r"(?<=\d) x (?=\d)")
_UNION = re.compile(r"(?<=[)\]}]) ?[Uu] ?(?=[(\[{]|\\\{)")
_CHOOSE = re.compile(r"(?<![\w.}])(\d{1,4}) ?C ?(\d{1,4})(?!\w)", re.ASCII)
# ^{10}C_3, _{10}C_3 and {}_{10}C_{3}.
_CHOOSE_WITH_INDICES = re.compile(
    r"(?:\{\})?[_^](?:\{(\d{1,4})\}|(\d)) ?C ?_(?:\{(\d{1,4})\}|(\d{1,4}))(?!\w)", re.ASCII
)
_BASE = re.compile(r"([\dA-Fa-f]{1,60}) \(?(?:in )?base[ -](\d{1,2})\)?", re.ASCII)
# The name of a derivative, before what it is.
_DERIVATIVE = re.compile(
    r"(?:[a-zA-Z]'{1,3}\([a-z]\)|\\[dt]?frac\{d[a-z]?\}\{d[a-z]\}(?:[a-z]\([a-z]\))?) ?= ?(?=[^y'=]*$)"
)
_ROUNDED = re.compile(
    r",? ?\(?(?:(?:or|which is) )?(?:approximately|approx\.?|about|\\approx) ?(-?\d+\.\d+)\)?"
)
_EQUIVALENTLY = re.compile(r",? or (?:equivalently|simply),? ")


def rewritten(text: str) -> str:
    """Return the text in LaTeX that the parser reads."""
    text = _THIN_SPACE.sub("", text.replace("{,}", ",").replace("\\!", ""))
    if "," in text and not any(opening in text for opening in ("(", "[", "\\{")):
        text = _THOUSANDS.sub(lambda found: found[0].replace(",", ""), text)
    if " x " in text:
        text = _TIMES.sub(r" \\times ", text)
    if "C" in text:
        text = _CHOOSE.sub(r"\\binom{\1}{\2}", text)
        text = _CHOOSE_WITH_INDICES.sub(r"\\binom{\1\2}{\3\4}", text)
    if "=" in text:
        text = _DERIVATIVE.sub("y = ", text, count=1)
    if "U" in text or "u" in text:
        text = _UNION.sub(r" \\cup ", text)
    return text.replace("+/-", "\\pm ") if "+/-" in text else text


def in_words(text: str) -> str:
    """Return the text with what is said of its value in words as signs.

    `1101 (base 2)` names a base. `\\sqrt{2} (approximately 1.41)` and `1/2, or equivalently
    0.5` claim that two values agree, so they are compared with each other, too.
    """
    if "base" in text and (found := _BASE.fullmatch(text)):
        return f"{found[1]}_{{{found[2]}}}"
    if "appr" in text or "about" in text:
        tail = _ROUNDED.search(text, max(0, len(text) - 60))
        if tail and tail.start() > 0 and tail.end() == len(text) and "\\approx" not in text[: tail.start()]:
            return f"{text[: tail.start()]} \\approx {tail[1]}"
    return _EQUIVALENTLY.sub(" = ", text) if " or " in text else text
