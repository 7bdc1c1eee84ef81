"""What is said of a value in words: that a letter is any integer, what a letter names, bounds.

Each returns the text as the parser reads it, or as it is if it is of another form.
"""

import re

from reward_server.rewards.math.leads import DOUBTS
from reward_server.rewards.math.units import lookup
from reward_server.rewards.math.words import NUMBER_WORDS

# A letter that stands for any integer, after what it stands in.
_ANY_INTEGER = re.compile(
    r"\s*(?:,|\\q?quad|\\;|\()*\s*(?:\\text\s*\{\s*(?:where|for|with)?(?: any| all| some| every)?\s*\}\s*)?"
    r"(?:(?:where|for|with) )?(?:any |all |some |every )?"
    r"(?:([a-z]) ?\\in ?(?:\\mathbb ?\{? ?Z ?\}?|Z)|([a-z]) (?:is|are) an(?:y)? integers?"
    r"|\\text\{ ?(?:where|for) \$?([a-z])\$? is an(?:y)? integer\.?\}|integers? ([a-z]))\)?"
)
# A function is one of all its arguments, and a constant in it is any.
_EVERYWHERE = re.compile(
    r",? ?(?:\\q?quad ?)?"
    r"(?:for (?:all|every|any) (?:real )?(?:numbers? )?\$?[a-z](?: ?\\in ?\\mathbb ?\{? ?R ?\}?)?\$?"
    r"|(?:where|for) (?:any |some )?\$?[a-z]\$? (?:is|being) (?:a|an|any)(?: arbitrary)?(?: real)? "
    r"(?:constant|number))$"
)
_LONGEST_CONDITION = 60
# What a letter names, after its value.
_NAMED = re.compile(
    r"(?P<value>\$?(?P<letter>[A-Za-z])\$? ?= ?(?:[^=,;]|(?<=\d),(?=\d{3})){1,60}?)"
    r",? where \$?(?P=letter)\$? (?:is|represents|denotes|stands for) the "
    r"(?P<words>[a-z'-]+(?: [a-z'-]+){0,9})"
)
# Of these, the letter is not the value that is asked for.
_CHANGED = frozenset(("half", "twice", "double", "triple", "times", "plus", "minus", "dozen", "dozens"))
_BOUNDS = {
    "greater than": ">", "more than": ">", "larger than": ">", "less than": "<", "smaller than": "<",
    "greater than or equal to": ">=", "at least": ">=", "no less than": ">=",
    "less than or equal to": "<=", "at most": "<=", "no more than": "<=", "no greater than": "<=",
}  # fmt: skip
_WHAT = r"(?:all (?:real )?(?:numbers|values) )?(?:\$?([a-z])\$? )?(?:that are |is |must be )?"
_SIDE = rf"({'|'.join(sorted(_BOUNDS, key=len, reverse=True))})"
_BOUND = re.compile(rf"{_WHAT}{_SIDE} (\$?[-+\d\\][^=<>]*)", re.IGNORECASE)
# Both ends of an interval.
_END = rf"{_SIDE} (\$?[-+\d\\][^\s=<>,]*)"
_BETWEEN = re.compile(rf"{_WHAT}{_END} (?:and|but) (?:is )?{_END}", re.IGNORECASE)


def for_any_integer(text: str) -> str:
    """Return `2k, k \\in \\mathbb{Z}` without its condition, if what is left has that letter."""
    start = max(1, len(text) - _LONGEST_CONDITION)
    for place in range(start, len(text)):
        if text[place - 1] not in " ,;(" and text[place] not in ",\\":
            continue
        if found := _ANY_INTEGER.fullmatch(text, place):
            letter = next(filter(None, found.groups()))
            return text[:place] if letter in text[:place] else text
    return text


def everywhere(text: str) -> str:
    """Return `f(x) = cx, where c is any constant` without its condition."""
    found = _EVERYWHERE.search(text, max(1, len(text) - _LONGEST_CONDITION))
    return text[: found.start()] if found and "=" in text[: found.start()] else text


def of_a_name(text: str) -> str:
    """Return `x = 17, where x is the number of apples` without what x is, if that changes nothing."""
    found = _NAMED.fullmatch(text)
    if found is None:
        return text
    words = found["words"].split()
    changes = not (DOUBTS | NUMBER_WORDS | _CHANGED).isdisjoint(words) or any(map(lookup, words))
    return text if changes else found["value"]


def bounds(text: str) -> str:
    """Return `x is at least 3` as `x >= 3`, and `at least 3 and less than 7` as `3 <= x < 7`."""
    if both := _BETWEEN.fullmatch(text):
        signs = {_BOUNDS[both[2].lower()]: both[3], _BOUNDS[both[4].lower()]: both[5]}
        low, high = (next((sign for sign in signs if sign[0] == mark), None) for mark in "><")
        if low and high:
            return f"{signs[low]} {low.replace('>', '<')} {both[1] or 'x'} {high} {signs[high]}"
    found = _BOUND.fullmatch(text)
    return f"{found[1] or 'x'} {_BOUNDS[found[2].lower()]} {found[3]}" if found else text
