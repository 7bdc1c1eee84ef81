# ruff: noqa: RUF001  (a table of look-alikes must hold look-alikes)
"""Unicode to the alphabet of the parser, before anything is compared.

Superscripts become exponents before any folding: Unicode's compatibility forms would
make "9⁹" into "99". What draws nothing is dropped. Control characters are refused, not
dropped: no honest answer has them.
"""

import re

from reward_server.rewards.folding import plain
from reward_server.rewards.math.tree import HostileAnswerError

_SUPERSCRIPTS = dict(zip("⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁽⁾ⁿˣ", "0123456789+-()nx", strict=True))
_SUBSCRIPTS = dict(zip("₀₁₂₃₄₅₆₇₈₉", "0123456789", strict=True))
_RAISED = re.compile(f"[{''.join(_SUPERSCRIPTS)}]+")
_LOWERED = re.compile(f"[{''.join(_SUBSCRIPTS)}]+")
# A decimal that goes on; any other dots are punctuation.
_GOES_ON = re.compile(r"(?<![\d.])(\d{0,60}\.\d{1,60})(?:\.{3}|\\dots|\\cdots)")
# As in JSON within JSON; in a matrix, two backslashes end a row.
_ESCAPED_TWICE = re.compile(r"\\\\(?=[A-Za-z]{2})")
_CONTROLS = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_SYMBOLS = str.maketrans({
    "−": "-", "–": "-", "—": "-", "‐": "-", "‑": "-", "﹣": "-", "×": "\\times ", "⋅": "\\cdot ",
    "·": "\\cdot ", "∗": "*", "÷": "/", "∕": "/", "⁄": "/", "π": "\\pi ", "∞": "\\infty ",
    "√": "sqrt ", "∛": "cbrt ", "≤": "<=", "⩽": "<=", "≥": ">=", "⩾": ">=", "≠": "!=", "≡": "\\equiv ",
    "≈": "\\approx ", "∪": "\\cup ", "∩": "\\cap ", "∈": "\\in ", "∅": "\\emptyset ",
    "°": "^\\circ ", "º": "^\\circ ", "±": "\\pm ", "∓": "\\mp ", "ℝ": "\\mathbb{R}", "ℤ": "\\mathbb{Z}",
    "θ": "\\theta ", "α": "\\alpha ", "β": "\\beta ", "γ": "\\gamma ", "λ": "\\lambda ",
    "ω": "\\omega ", "φ": "\\phi ", "½": " \\frac{1}{2}", "⅓": " \\frac{1}{3}",
    "⅔": " \\frac{2}{3}", "¼": " \\frac{1}{4}", "¾": " \\frac{3}{4}", "⅕": " \\frac{1}{5}",
    "⅖": " \\frac{2}{5}", "⅗": " \\frac{3}{5}", "⅘": " \\frac{4}{5}", "⅙": " \\frac{1}{6}",
    "⅚": " \\frac{5}{6}", "⅛": " \\frac{1}{8}", "⅜": " \\frac{3}{8}", "⅝": " \\frac{5}{8}",
    "⅞": " \\frac{7}{8}", "⟨": "\\langle ", "⟩": "\\rangle ", "⌊": "\\lfloor ", "⌋": "\\rfloor ",
    "⌈": "\\lceil ", "⌉": "\\rceil ", "′": "'", "″": '"', "％": "%", "＄": "$", "…": "...",
    "✅": "", "✔": "", "✓": "", "☑": "",
})  # fmt: skip


def clean(text: str) -> str:
    """Return the text in the parser's alphabet, white space collapsed.

    Raises:
        HostileAnswerError: control characters.
    """
    if not text.isascii():
        text = _RAISED.sub(lambda run: f"^{{{''.join(map(_SUPERSCRIPTS.__getitem__, run[0]))}}}", text)
        text = _LOWERED.sub(lambda run: f"_{{{''.join(map(_SUBSCRIPTS.__getitem__, run[0]))}}}", text)
        text = text.translate(_SYMBOLS)
    if not text.isprintable() and _CONTROLS.search(text):
        raise HostileAnswerError("control characters")
    if "\\\\" in text and "\\begin" not in text:
        text = _ESCAPED_TWICE.sub(r"\\", text)
    if "..." in text or "dots" in text:
        text = _GOES_ON.sub(r"\1\\ldots", text)
    return plain(text)
