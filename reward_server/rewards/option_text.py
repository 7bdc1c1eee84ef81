"""Equality of option texts: from exact to lenient.

The levels: as written, without case, without articles and prose punctuation, without plural s.
Equality only, never containment: an empty string is contained in everything. What
carries meaning survives every level: signs ("-1"), decimals, symbols ("O+", "10^3", "%").
"""

import re

_SUBSCRIPTS = str.maketrans("₀₁₂₃₄₅₆₇₈₉", "0123456789")
_ARTICLES = frozenset({"a", "an", "the"})
_LATEX = re.compile(r"\\(?:text|mathrm|mathbf)\{|[${}_\\]")
_THOUSANDS = re.compile(r"(?<=\d),(?=\d{3}(?!\d))")
# A hyphen or slash joins words; between digits it is part of the number.
_JOINING = re.compile(r"(?<=\w)[-/](?=[^\W\d])|(?<=[^\W\d])[-/](?=\w)")
# Points, commas and colons inside numbers stay, and so does a minus sign.
_PUNCTUATION = re.compile(r"[.](?!\d)|[,:](?!\d)|(?<!\d)[,:]|[;!?'\"()\[\]…`]|-(?=[^\W\d])")
_TOKEN = re.compile(r"[.]\d+|\w+(?:[.,:]\d+)*|[^\w\s]")


def exact_key(text: str) -> str:
    """Return the text without closing punctuation; case and symbols count."""
    return text.rstrip(".;:!? ").strip()


def caseless_key(text: str) -> str:
    """Return the exact key without case."""
    return exact_key(text).casefold()


def folded_key(text: str) -> str:
    """Return the text without case, articles and prose punctuation."""
    text = _LATEX.sub("", text).translate(_SUBSCRIPTS)
    text = _JOINING.sub(" ", _THOUSANDS.sub("", text))
    tokens = _TOKEN.findall(_PUNCTUATION.sub(" ", text))
    # "A" is an article at the start and in lower case, a name elsewhere: "vitamin A".
    kept = [
        token.casefold()
        for place, token in enumerate(tokens)
        if not (_is_article(token, place) and place + 1 < len(tokens))
    ]
    return " ".join(kept)


def singular_key(text: str) -> str:
    """Return the folded text with the plural s taken off its longer words."""
    words = folded_key(text).split(" ")
    return " ".join(w[:-1] if len(w) > 3 and w.endswith("s") and not w.endswith("ss") else w for w in words)


# From the strictest to the most lenient.
KEYS = (exact_key, caseless_key, folded_key, singular_key)


def _is_article(word: str, place: int) -> bool:
    return word.casefold() in _ARTICLES and (place == 0 or word != "A")
