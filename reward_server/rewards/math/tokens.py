"""Text to tokens: one compiled pattern, one linear pass, no backtracking worth the name.

The alphabet is closed: a character that is not of the subset ends the reading.
"""

import re
from typing import Literal, NamedTuple, get_args

from reward_server.rewards.math.names import NAMES
from reward_server.rewards.math.tree import StrangeAnswerError, TooLargeError

MAX_TOKENS = 500
MAX_DIGITS = 60


# Words for what the groups of the pattern are called: "text" is the contents of \text{...}. A member
# of an Enum takes several times as long to name, and each operand is asked for its kind many times.
TokenKind = Literal["number", "word", "command", "text", "mark", "end"]


class Token(NamedTuple):
    kind: TokenKind
    text: str


END = Token("end", "")
_KINDS: dict[str, TokenKind] = {kind: kind for kind in get_args(TokenKind)}

_TOKEN = re.compile(
    r"""\s+
    |(?P<text>\\(?:text|textbf|textit|textrm|mbox|mathrm|operatorname|mathbf|textnormal)\s*\{(?P<inside>[^{}]*)\})
    |(?P<command>\\(?:[A-Za-z]+|.))
    |(?P<number>\d+(?:\.\d*)?|\.\d+)
    |(?P<word>[A-Za-z]+)
    |(?P<mark>\*\*|<=|>=|!=|[-+*/^_=<>(){}\[\]|,;:!'&%])
    """,
    re.VERBOSE | re.DOTALL | re.ASCII,
)
_SPACING = frozenset(
    ("\\!", "\\,", "\\;", "\\:", "\\ ", "\\quad", "\\qquad", "\\left", "\\right", "\\displaystyle")
)
_SPACING_MORE = frozenset(
    ("\\bigl", "\\bigr", "\\big", "\\Big", "\\Bigl", "\\Bigr", "\\limits", "\\textstyle")
)
_SKIPPED = _SPACING | _SPACING_MORE


def tokenize(text: str) -> list[Token]:
    """Split the text, dropping what only spaces it out; ends with `END`.

    Raises:
        StrangeAnswerError: a character that no mathematical answer of the subset has.
        TooLargeError: too many tokens, or a number with too many digits.
    """
    tokens: list[Token] = []
    position = 0
    for found in _TOKEN.finditer(text):
        if found.start() != position:
            break
        position = found.end()
        kind = found.lastgroup
        if kind is None:
            continue
        token = _token(_KINDS[kind], found)
        if token is not None:
            tokens.append(token)
        if len(tokens) > MAX_TOKENS:
            raise TooLargeError(f"more than {MAX_TOKENS} symbols")
    if position != len(text):
        raise StrangeAnswerError(f"unexpected character {text[position]!r}")
    tokens.append(END)
    return tokens


def _token(kind: TokenKind, found: re.Match[str]) -> Token | None:
    if kind == "text":
        inside = found["inside"].strip()
        # `\\mathrm{e}` and `\\operatorname{lcm}` are set upright, but no words.
        is_name = inside in NAMES and found[0].startswith(("\\mathrm", "\\operatorname"))
        return Token("word" if is_name else "text", inside)
    text = found[0]
    if kind == "number" and len(text) > MAX_DIGITS:
        raise TooLargeError(f"a number of {len(text)} digits")
    if kind == "command" and (text in _SKIPPED or text.isspace()):
        return None
    return Token(kind, text)
