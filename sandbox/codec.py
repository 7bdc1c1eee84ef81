"""Decodes what a program reported. This is the security boundary of the sandbox.

Every byte may be forged. Nothing is unpickled, evaluated or imported; tags, shapes,
depth, number of values and size of integers are checked; anything else is a
`ForgedReportError`. Decoded values are fresh built-in objects and Fractions, so no method of
a candidate's class ever runs in this process.

The format is described in `sandbox.image.child` and `sandbox.image.encoder`.
"""

import json
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from sandbox.api import CallResult, Raised, Unserializable, Value
from sandbox.image.encoder import MAX_DEPTH, MAX_INT_BITS, MAX_NODES

MAX_TEXT_CHARS = 500  # of a type name or a message
MAX_EQUAL_HASHES = 100  # members of one set or dict; honest data has one or two
_MAX_FLOAT_CHARS = 32
_MAX_INT_CHARS = MAX_INT_BITS // 4 + 2


class ForgedReportError(ValueError):
    """A report that the encoder cannot have written."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """The program was loaded; one result per call, in the order of the request."""

    results: tuple[CallResult, ...]


@dataclass(frozen=True, slots=True)
class LoadFailed:
    """A part of the program ("source", "imports", "setup") raised while it was loaded."""

    part: str
    error: Raised


@dataclass(frozen=True, slots=True)
class OutOfMemory:
    """The program met MemoryError."""


@dataclass(frozen=True, slots=True)
class TooLarge:
    """The results have too many values to be sent."""


Report = Loaded | LoadFailed | OutOfMemory | TooLarge


def decode_report(payload: bytes, calls: int) -> Report:
    """Decode the report of a program with that many calls.

    Raises:
        ForgedReportError: it is not exactly in the format, or has another number of results.
    """
    match _parse(payload):
        case ["ok", [*results]] if len(results) == calls:
            decoder = _Decoder()
            return Loaded(tuple(_decode_result(result, decoder) for result in results))
        case ["load", "source" | "imports" | "setup" as part, str(name), str(message)]:
            return LoadFailed(part, Raised(_clean(name), _clean(message)))
        case ["memory"]:
            return OutOfMemory()
        case ["large"]:
            return TooLarge()
        case _:
            raise ForgedReportError(f"not a report of {calls} results")


def _parse(payload: bytes) -> Any:
    try:
        text = payload.decode("utf-8", "surrogatepass")
        return json.loads(text, parse_constant=_refuse, parse_float=_refuse)
    except (ValueError, RecursionError) as error:
        raise ForgedReportError(f"not JSON: {type(error).__name__}") from error


def _refuse(text: str) -> Any:
    raise ForgedReportError(f"a bare number {text[:20]!r}")


def _decode_result(result: Any, decoder: "_Decoder") -> CallResult:
    match result:
        case ["v", tagged]:
            return Value(decoder.decode(tagged, 0))
        case ["e", str(name), str(message)]:
            return Raised(_clean(name), _clean(message))
        case ["u", str(name)]:
            return Unserializable(_clean(name))
        case _:
            raise ForgedReportError("not a result")


def _clean(text: str) -> str:
    """Bound a text and escape what a terminal, a log or UTF-8 cannot carry."""
    bounded = text[:MAX_TEXT_CHARS]
    if bounded.isprintable():
        return bounded
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in bounded)


class _Decoder:
    """Decodes tagged values; the node budget is shared by all values of a report."""

    def __init__(self) -> None:
        self._nodes_left = MAX_NODES

    def decode(self, tagged: Any, depth: int) -> object:
        self._nodes_left -= 1
        if self._nodes_left < 0 or depth > MAX_DEPTH:
            raise ForgedReportError(f"more than {MAX_NODES} values, or nested deeper than {MAX_DEPTH}")
        match tagged:
            case [str(tag), *operands] if tag in _SCALARS:
                return _decode_scalar(tag, operands)
            case [str(tag), *operands] if tag in _CONTAINERS:
                return _CONTAINERS[tag]([self.decode(operand, depth + 1) for operand in operands])
            case _:
                raise ForgedReportError("not a tagged value")


def _decode_scalar(tag: str, operands: list[Any]) -> object:
    try:
        return _SCALARS[tag](*operands)
    except (TypeError, ValueError, ArithmeticError) as error:
        raise ForgedReportError(f"not a value of tag {tag!r}") from error


def _none() -> None:
    return None


def _bool(value: object) -> bool:
    if type(value) is not int or value not in (0, 1):
        raise ForgedReportError("a truth value that is neither 0 nor 1")
    return value == 1


def _int(digits: object) -> int:
    value = int(_text(digits, _MAX_INT_CHARS), 16)
    if value.bit_length() > MAX_INT_BITS:
        raise ForgedReportError(f"an int of {value.bit_length()} bits")
    return value


def _float(digits: object) -> float:
    return float.fromhex(_text(digits, _MAX_FLOAT_CHARS))


def _complex(real: object, imaginary: object) -> complex:
    return complex(_float(real), _float(imaginary))


def _fraction(numerator: object, denominator: object) -> Fraction:
    below = _int(denominator)
    value = Fraction(_int(numerator), below)
    if value.denominator != below:
        raise ForgedReportError("a fraction that is not in lowest terms")
    return value


def _str(value: object) -> str:
    if type(value) is not str:
        raise ForgedReportError("a text that is not a string")
    return value


def _bytes(digits: object) -> bytes:
    return bytes.fromhex(_str(digits))


def _text(value: object, max_chars: int) -> str:
    text = _str(value)
    if len(text) > max_chars:
        raise ForgedReportError(f"a number of {len(text)} digits")
    return text


def _set(members: list[object]) -> set[object]:
    return set(_hashable(members))


def _frozenset(members: list[object]) -> frozenset[object]:
    return frozenset(_hashable(members))


def _dict(parts: list[object]) -> dict[object, object]:
    if len(parts) % 2:
        raise ForgedReportError("a dict with a key without a value")
    return dict(zip(_hashable(parts[::2]), parts[1::2], strict=True))


def _hashable(members: list[object]) -> list[object]:
    """Refuse what cannot be hashed, repeats, and members crafted to collide (a quadratic insert)."""
    try:
        hashes = Counter(map(hash, members))
        if max(hashes.values(), default=0) > MAX_EQUAL_HASHES:
            raise ForgedReportError("members with equal hashes")
        distinct = len(set(members))
    except TypeError as error:
        raise ForgedReportError("an unhashable member") from error
    if distinct != len(members):
        raise ForgedReportError("a repeated member")
    return members


def _tuple(members: Iterable[object]) -> tuple[object, ...]:
    return tuple(members)


_SCALARS: dict[str, Callable[..., object]] = {
    "n": _none,
    "b": _bool,
    "i": _int,
    "f": _float,
    "s": _str,
    "y": _bytes,
    "c": _complex,
    "q": _fraction,
}

_CONTAINERS: dict[str, Callable[[list[object]], object]] = {
    "l": list,
    "t": _tuple,
    "S": _set,
    "F": _frozenset,
    "d": _dict,
}
