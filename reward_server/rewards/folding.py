"""Which characters count as the same, and which draw nothing.

Folding here is deliberately small. Unicode's compatibility forms (NFKC) would turn
"1²" into "12" and a circled letter into a letter; only full-width forms are folded,
and letters of other scripts that look Latin stay what they are.
"""

import re
import unicodedata
from itertools import chain

# Controls, spaces, format characters, and letters or symbols without ink (combining
# grapheme joiner, Hangul fillers, Khmer inherent vowels, Braille blank, variation
# selectors, tags). Arabic and Kaithi number signs are format characters too, but seen.
_INVISIBLE_RANGES = (
    (0x0000, 0x0020), (0x007F, 0x00A0), (0x00AD, 0x00AD), (0x034F, 0x034F), (0x061C, 0x061C),
    (0x115F, 0x1160), (0x1680, 0x1680), (0x17B4, 0x17B5), (0x180B, 0x180F), (0x2000, 0x200F),
    (0x2028, 0x202F), (0x205F, 0x206F), (0x2800, 0x2800), (0x3000, 0x3000), (0x3164, 0x3164),
    (0xFE00, 0xFE0F), (0xFEFF, 0xFEFF), (0xFFA0, 0xFFA0), (0xFFF9, 0xFFFB), (0x13430, 0x1343F),
    (0x1BCA0, 0x1BCA3), (0x1D173, 0x1D17A), (0xE0001, 0xE0001), (0xE0020, 0xE007F), (0xE0100, 0xE01EF),
)  # fmt: skip
_INVISIBLE_POINTS = tuple(chain.from_iterable(range(first, last + 1) for first, last in _INVISIBLE_RANGES))
INVISIBLE = "".join(map(chr, _INVISIBLE_POINTS))

# U+FF01..U+FF5E are ASCII 0x21..0x7E at double width.
_FULL_WIDTH = {0xFF01 + offset: 0x21 + offset for offset in range(0x5E)}
_QUOTES = {0x2018: "'", 0x2019: "'", 0x201C: '"', 0x201D: '"', 0x2032: "'", 0x2033: '"'}
_DASHES = dict.fromkeys((0x2010, 0x2011, 0x2012, 0x2013, 0x2014, 0x2015, 0x2212), "-")
_WITHOUT_INK = {point: None for point in _INVISIBLE_POINTS if not chr(point).isspace()}
_PLAIN = {**_WITHOUT_INK, **_FULL_WIDTH, **_QUOTES, **_DASHES}

# `str.strip` compares every character with the whole list; a set of ranges is ten times as fast.
_INVISIBLE_SET = "".join(f"\\U{first:08x}-\\U{last:08x}" for first, last in _INVISIBLE_RANGES)
_INVISIBLE_RUN = re.compile(f"[{_INVISIBLE_SET}]*")
# A letter and its accents. Canonical ordering of a long run of accents is quadratic, hence four.
_ACCENTED = re.compile(r"[^\W\d_][\u0300-\u036f]{1,4}")


def strip_invisible(text: str) -> str:
    """Cut what draws nothing from both ends; empty when nothing of `text` can be seen."""
    text = text.strip()
    if text.isascii() and text[:1].isprintable() and text[-1:].isprintable():
        return text
    rest = text[_end_of_invisible(text) :]
    return rest[: len(rest) - _end_of_invisible(rest[::-1])]


def composed(text: str) -> str:
    """Put accents into their letters, however they were typed: canonical equivalence, nothing wider."""
    if text.isascii():
        return text
    return _ACCENTED.sub(lambda found: unicodedata.normalize("NFC", found[0]), text)


def plain(text: str) -> str:
    """Drop what draws nothing, fold full-width forms, curly quotes and dashes, collapse white space."""
    if text.isascii() and text.isprintable():
        return " ".join(text.split())
    return " ".join(text.translate(_PLAIN).split())


def _end_of_invisible(text: str) -> int:
    found = _INVISIBLE_RUN.match(text)
    return found.end() if found else 0
