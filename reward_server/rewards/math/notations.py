"""Notations that are rewritten as text before it is cut into tokens.

Only what one closed pattern can tell, in one linear pass; each stands for LaTeX that the
parser reads.
"""

import re

from reward_server.rewards.math import conditions

_BEFORE_THOUSANDS = re.compile(r",\s?\\!\s?(?=\d{3}(?!\d))")
# Also before a letter, as in `\\quadx`.
_WIDE_SPACE = re.compile(r"\\q?quad")
# Over the first and the last digit of a period, or over its only one.
_DOTTED = re.compile(r"(?<=[\d.])\\dot\{(\d)\}(?:(\d{0,40})\\dot\{(\d)\})?", re.ASCII)
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
# Rows between semicolons; a single column could be an interval.
_ROWS = re.compile(r"(?P<name>[A-Z] ?= ?)?\[(?P<rows>[^\[\]();&{}\\]{3,200}(?:;[^\[\]();&{}\\]{3,200})+)\]")
_IN_ROW = re.compile(r" ?, ?| ")
_EQUIVALENTLY = re.compile(r",? or (?:equivalently|simply),? ")


def rewritten(text: str) -> str:
    """Return the text in LaTeX that the parser reads."""
    if ";" in text and text[-1:] == "]":
        text = _in_matrix(text)
    if "\\!" in text:
        text = _BEFORE_THOUSANDS.sub(",", text).replace("\\!", "")
    if "\\dot{" in text:
        text = _DOTTED.sub(r"\\overline{\1\2\3}", text)
    if "quad" in text:
        text = _WIDE_SPACE.sub(" ", text)
    text = _THIN_SPACE.sub("", text.replace("{,}", ","))
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


def _in_matrix(text: str) -> str:
    """Return `[1 2; 3 4]` as a matrix, if all its rows have the same length, of two entries or more."""
    found = _ROWS.fullmatch(text)
    if found is None:
        return text
    rows = [_IN_ROW.split(row.strip()) for row in found["rows"].split(";")]
    if len(rows[0]) < 2 or any(len(row) != len(rows[0]) or not all(row) for row in rows):
        return text
    body = " \\\\ ".join(map(" & ".join, rows))
    return f"{found['name'] or ''}\\begin{{pmatrix}} {body} \\end{{pmatrix}}"


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
    if "nteger" in text or "\\in" in text:
        text = conditions.for_any_integer(text)
    if " for " in text or " where " in text:
        text = conditions.everywhere(conditions.of_a_name(text))
    if " than " in text or " least " in text or " most " in text:
        text = conditions.bounds(text)
    return _EQUIVALENTLY.sub(" = ", text) if " or " in text else text
