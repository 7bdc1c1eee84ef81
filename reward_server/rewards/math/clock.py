"""Times of day: `3:30 p.m.`, `17:00`, `7:30 in the morning`, `5 pm` where a time is asked for.

The value is minutes since midnight.

`3:15` alone is a ratio, and `1:05` a time: no ratio is written with a leading zero.
"""

import re
from fractions import Fraction

from reward_server.rewards.math.numbers import Measured
from reward_server.rewards.math.tree import Node, Number
from reward_server.rewards.math.units import Unit

# In half a day.
_HOURS = 12
CLOCK = Unit(dimension=(("time of day", 1),), scale=Fraction(1))
_TIME = re.compile(
    r"(?P<hour>\d{1,2})(?::(?P<minute>[0-5]\d))?"
    r"(?: ?(?:\\text\s*\{ ?)?(?:(?P<half>[ap])\.? ?m\.?"
    r"|(?P<part>in the morning|in the afternoon|in the evening|at night))\}?)?",
    re.IGNORECASE | re.ASCII,
)
_NAMED = {"noon": "12:00 pm", "12 noon": "12:00 pm", "midnight": "12:00 am", "12 midnight": "12:00 am"}
# "2:00 at night" is in the morning for some and never said by others.
_AT_NIGHT = range(6, _HOURS)


def read_time(text: str) -> Measured | None:
    """Read a time of day with minutes, in 12 or 24 hours; None if it could be anything else."""
    found = _match(text)
    if found is None or found["minute"] is None or not (_half(found) or found["minute"][0] == "0"):
        return None
    return _time(found)


def read_hour(text: str, wanted: Node) -> Measured | None:
    """Read any time of day where one is asked for: `5 pm`, `noon`, and `5:30` for either half of the day."""
    found = _match(_NAMED.get(text.lower(), text))
    if found is None or not (_half(found) or found["minute"]):
        return None
    said = _time(found)
    if said is None or _half(found) or int(found["hour"]) > _HOURS or not isinstance(wanted, Number):
        return said
    minutes = 60 * int(found["hour"]) + int(found["minute"])
    agrees = (wanted.value - minutes) % (60 * _HOURS) == 0
    return Measured(node=wanted, unit=CLOCK) if agrees else said


def as_written(text: str, hour: Node) -> str:
    """Return a time without `am` or `pm`, as a reference that does not say which writes it.

    A reference with an hour after noon is one of 24 hours.
    """
    found = _match(text)
    if not found or not _half(found) or not found["minute"]:
        return text
    if isinstance(hour, Number) and hour.value > _HOURS and _half(found) == "p":
        return f"{int(found['hour']) % _HOURS + _HOURS}:{found['minute']}"
    return text[: found.end("minute")]


def _match(text: str) -> re.Match[str] | None:
    found = _TIME.fullmatch(text)
    at_night = found is not None and (found["part"] or "").lower() == "at night"
    return None if found and at_night and int(found["hour"]) not in _AT_NIGHT else found


def _half(found: re.Match[str]) -> str:
    """Return `a` or `p`, or nothing if no half of the day is named."""
    if found["part"]:
        return "a" if found["part"].lower() == "in the morning" else "p"
    return (found["half"] or "").lower()


def _time(found: re.Match[str]) -> Measured | None:
    hour, minute, half = int(found["hour"]), int(found["minute"] or 0), _half(found)
    if hour > (_HOURS if half else 2 * _HOURS) or (half and not hour):
        return None
    if half:
        hour = hour % _HOURS + (_HOURS if half == "p" else 0)
    return Measured(node=Number(Fraction(60 * hour + minute)), unit=CLOCK)
