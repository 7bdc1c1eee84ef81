"""Numbers in Chinese signs: `二十三`, `一百零五`, `两万`, and fractions, `三分之二`, the lower number first.

Only what has one reading: digits without a place (`二三`) and the spoken `一百五` for 150 have not.
A sign alone (`五`) is a digit of another script, as any other; in a fraction it is a number.
"""

import re
from fractions import Fraction

_DIGITS = "零一二三四五六七八九"
_PLACES = {"千": 1000, "百": 100, "十": 10}
_MYRIAD = 10_000
# Of a hundred, without a one before it.
_ROUND = {"百": 100, "千": 1000, "万": _MYRIAD}
_NUMBER = re.compile(rf"[两万{_DIGITS}{''.join(_PLACES)}]{{1,20}}")
_PLACED = re.compile("[万千百十]")
_PAIR = re.compile("两(?=[百千万])")


def read_chinese(text: str) -> Fraction | None:
    """Return the number that the whole text is; None if it is anything else, or not spelled in full."""
    unsigned = text.removeprefix("负")
    sign = 1 if unsigned == text else -1
    if "分之" in text:
        value = _fraction(unsigned)
        return None if value is None else sign * value
    whole = _whole(text) if _PLACED.search(text) else None
    return None if whole is None else Fraction(whole)


def _fraction(text: str) -> Fraction | None:
    """Read `三分之二`, `百分之五` and `一又三分之二`."""
    before, _, part = text.rpartition("又")
    below_signs, _, above_signs = part.partition("分之")
    below, above = _ROUND.get(below_signs) or _whole(below_signs), _whole(above_signs)
    if not below or above is None:
        return None
    whole = _whole(before) if before else 0
    proper = 0 < above < below
    return None if whole is None or (before and not proper) else whole + Fraction(above, below)


def _whole(text: str) -> int | None:
    if not _NUMBER.fullmatch(text):
        return None
    text = _PAIR.sub("二", text)
    total = group = digit = 0
    for sign in text:
        if sign == "万":
            total, group, digit = (group + digit) * _MYRIAD, 0, 0
        elif sign in _PLACES:
            group, digit = group + (digit or 1) * _PLACES[sign], 0
        else:
            digit = _DIGITS.find(sign)
    total += group + digit
    return total if 0 <= total < _MYRIAD**2 and text == _spelled(total) else None


def _spelled(number: int) -> str:
    myriads, rest = divmod(number, _MYRIAD)
    head = f"{_spelled(myriads)}万" if myriads else ""
    if myriads and not rest:
        return head
    signs = "".join(
        f"{_DIGITS[rest // size % 10]}{sign}" if rest // size % 10 else "零"
        for sign, size in (*_PLACES.items(), ("", 1))
    )
    spelled = re.sub("零+", "零", signs).rstrip("零")
    if myriads:
        return head + spelled
    # Ten goes without its one where it comes first.
    return spelled.removeprefix("零").removeprefix("一" if 10 <= number < 20 else "") or "零"
