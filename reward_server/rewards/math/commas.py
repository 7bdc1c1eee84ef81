"""Numbers as other languages write them, where a fraction is asked for: `3,14`, `1.234,5`, `1'234.5`.

A comma with three digits after it parts thousands if it can, and `2,5` is a list of two.
"""

import re

_FORMS = (
    re.compile(r"(?P<whole>\d{1,3}(?:[. ]\d{3})+),(?P<decimals>\d{1,30})(?!\d)", re.ASCII),
    re.compile(r"(?P<whole>\d{1,3}(?:'\d{3})+)(?:\.(?P<decimals>\d{1,30}))?(?!\d)", re.ASCII),
    re.compile(r"(?P<whole>0),(?P<decimals>\d{1,30})(?!\d)", re.ASCII),
    re.compile(r"(?P<whole>\d{1,30}),(?P<decimals>\d{2}|\d{4,30})(?!\d)", re.ASCII),
)
_BEFORE = re.compile(r"[-+]?(?:\\?\$|€|£)? ?")
_OTHERS = re.compile(r"[\d,;:=]")


def in_english(text: str) -> str | None:
    """Return a number written with a decimal comma, or with other signs between thousands, in English."""
    start = _BEFORE.match(text)
    assert start is not None  # every part is optional
    for form in _FORMS:
        found = form.match(text, start.end())
        if found is None:
            continue
        rest = text[found.end() :]
        if _OTHERS.search(rest):
            return None
        whole = re.sub(r"[. ']", "", found["whole"])
        return f"{start[0]}{whole}.{found['decimals'] or '0'}{rest}"
    return None
