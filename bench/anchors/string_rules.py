"""Two published rule sets for MATH answers, written anew from their descriptions.

`hendrycks_style`: answers are equal when their strings are, after the clean-up of the MATH
data set's evaluation (Hendrycks et al. 2021). `prm800k_style`: the grader of Lightman et al.
2023: a longer clean-up, tuples element by element, integers and fractions exactly, and
otherwise sympy on the difference, unless the text looks dangerous. Neither is the original code: small
differences from it are possible, its parser that evaluates text is not one of them.
"""

import re

import sympy
from pylatexenc.latex2text import LatexNodes2Text
from sympy.parsing import sympy_parser

_HENDRYCKS: tuple[tuple[str, str], ...] = (
    (r"\n|\\!", ""),
    (r"\\\\", r"\\"),
    (r"[td]frac", "frac"),
    (r"\\left|\\right|\^\{?\\circ\}?|\\\$", ""),
    (r"\\text\{ .*", ""),  # units, which the data set writes with this space
    (r"\\?%", ""),
    (r"(^|[ {])\.", r"\g<1>0."),
    (r"^[^=]{0,2}=([^=]*)$", r"\1"),
    (r"\\sqrt([^{])", r"\\sqrt{\1}"),
    (r" ", ""),
    (r"\\frac([^{])([^{])", r"\\frac{\1}{\2}"),
    (r"\\frac([^{])\{", r"\\frac{\1}{"),
    (r"^0\.5$", r"\\frac{1}{2}"),
    (r"^(-?\d+)/(-?\d+)$", r"\\frac{\1}{\2}"),
)
_UNITS = "degree|cm|centimeter|meter|mile|second|minute|hour|day|week|month|year|foot|feet|inch|yard"
_PRM800K: tuple[tuple[str, str], ...] = (
    (r"^\\text\{(.+?)\}$", r"\1"),
    (r"\\?[%$]", ""),
    (r" (?:or|and) ", " , "),
    (r"trillion", "*10^12"),
    (r"billion", "*10^9"),
    (r"million", "*10^6"),
    (rf"(?:{_UNITS})(?:es)?s? *(?:\^\d+)?", ""),
    (r"\^ *\\circ", ""),
    (r"^\{(.*)\}$", r"\1"),
    (r",\\! *", ""),
)
_AS_PYTHON = {0x221A: "sqrt", 0x03C0: "pi", 0x221E: "inf", 0x222A: "U", 0x00B7: "*", 0x00D7: "*"}
_DANGEROUS = re.compile(r"\^\{|\^\(|\^\d+\^|\^\d\d")
_FRACTION = re.compile(r"-?\d+.?/0*[1-9]\d*.?")


def hendrycks_style(gold: str, answer: str) -> bool:
    return _substituted(_HENDRYCKS, gold) == _substituted(_HENDRYCKS, last_box(answer))


def prm800k_style(gold: str, answer: str) -> bool:
    answer = last_box(answer)
    if hendrycks_style(gold, answer):
        return True
    wanted, given = _normal(gold), _normal(answer)
    if wanted == given or not given:
        return wanted == given
    wanted_parts, given_parts = _parts(wanted), _parts(given)
    if len(wanted_parts) != len(given_parts):
        return False
    if len(wanted_parts) > 1 and (wanted[0], wanted[-1]) != (given[0], given[-1]):
        return False
    return all(_same(one, other) for one, other in zip(wanted_parts, given_parts, strict=True))


def last_box(text: str) -> str:
    """Return what is in the last \\boxed{...}; the text itself where there is none."""
    start = text.rfind("\\boxed{")
    if start < 0:
        return text
    depth = 0
    for place in range(start + len("\\boxed"), len(text)):
        depth += {"{": 1, "}": -1}.get(text[place], 0)
        if depth == 0:
            return text[start + len("\\boxed{") : place]
    return text


def _substituted(rules: tuple[tuple[str, str], ...], text: str) -> str:
    for pattern, replacement in rules:
        text = re.sub(pattern, replacement, text)
    return text


def _normal(text: str) -> str:
    text = _substituted(_PRM800K, text)
    if "\\" in text:
        text = LatexNodes2Text().latex_to_text(re.sub(r"\\[td]?frac", r" \\frac", text))
        text = text.translate(_AS_PYTHON).strip()
    text = re.sub(r"- *", "-", text)
    text = re.sub(r"(\d) +(\d)", r"\1+\2", text)  # a mixed number
    text = re.sub(r"[ {}]", "", text).lower()
    number = _number(text)
    return str(int(number)) if number is not None and number == int(number) else text


def _number(text: str) -> float | None:
    try:
        value = float(re.sub(r"(\d),(?=\d{3}(?:\D|$))", r"\1", text))
    except ValueError:
        return None
    return value if abs(value) < 1e300 else None


def _parts(text: str) -> list[str]:
    text = re.sub(r"(\d),(?=\d{3}(?:\D|$))", r"\1", text)
    inside = text[1:-1]
    if len(text) > 2 and text[0] in "([" and text[-1] in ")]" and not re.search(r"[()\[\]]", inside):
        return [part.strip() for part in inside.split(",")]
    return [text]


def _same(wanted: str, given: str) -> bool:
    if _FRACTION.fullmatch(wanted) and _FRACTION.fullmatch(given):
        return wanted == given  # not reduced is wrong
    one, other = _number(wanted), _number(given)
    if (one is not None and one == int(one)) != (other is not None and other == int(other)):
        return False
    return _same_to_sympy(f"({wanted})-({given})")


def _same_to_sympy(difference: str) -> bool:
    letters = {each for each in re.sub(r"sqrt|frac", "", difference) if each.isalpha()}
    if len(letters) > 2 or _DANGEROUS.search(difference):
        return False
    transformations = (
        *sympy_parser.standard_transformations,
        sympy_parser.implicit_multiplication_application,
    )
    parsed = sympy_parser.parse_expr(difference.replace("^", "**"), transformations=transformations)
    return sympy.simplify(parsed) == 0
