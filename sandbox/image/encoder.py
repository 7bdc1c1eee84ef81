"""Writes what a call returned as tagged plain data in JSON.

    None ["n"]   bool ["b",0|1]   int ["i",hex]   float ["f",hex|"nan"|"inf"|"-inf"]
    str ["s",text]   bytes ["y",hex]   complex ["c",float,float]   Fraction ["q",hex,hex]
    list ["l",..]   tuple ["t",..]   set ["S",..]   frozenset ["F",..]   dict ["d",key,value,..]

Runs inside the sandbox, in the program's own process: a program can replace it, and
then lies about nothing but its own results. What Python's own `==` takes for plain data is sent
as that: a subclass (an enumeration's member, a Counter, a named tuple) as its base, a
bytearray as bytes, a view of keys as a set, a Decimal as the fraction that it is. Only methods
of the base class are called, so that nothing depends on what a candidate's class says of itself.

The text is written as it is found, without a tree in between, and not by the package
`json`: its memory would be copied for every program.
"""

import sys
from _json import encode_basestring as quote  # what `json.dumps` uses for text when it need not be ASCII
from collections.abc import Iterable
from itertools import chain
from typing import Any

MAX_DEPTH = 100
MAX_NODES = 200_000
MAX_EXPONENT = 4_000  # of a Decimal: as a fraction it has that many digits
MAX_INT_BITS = 14_000  # about 4,200 digits: the interpreter prints and parses no longer ones by default


class NotPlainError(Exception):
    """A value that is not plain data; the argument is the name of its type."""


class TooLargeError(Exception):
    """More than MAX_NODES values in all."""


class Encoder:
    """Encodes the results of one program; the node budget is shared by all of them."""

    def __init__(self) -> None:
        self._nodes_left = MAX_NODES

    def encode(self, value: object, depth: int = 0) -> str:
        """Return the JSON of one value.

        Raises:
            NotPlainError: something in it is not plain data, or it is nested too deep.
            TooLargeError: the node budget is spent.
        """
        self._nodes_left -= 1
        if self._nodes_left < 0:
            raise TooLargeError
        if depth > MAX_DEPTH:
            raise NotPlainError(f"{type(value).__name__} nested deeper than {MAX_DEPTH}")
        return _encode_scalar(value) or self._encode_container(value, type(value), depth + 1)

    def _encode_container(self, value: Any, kind: type, depth: int) -> str:
        if kind in _SEQUENCE_TAGS:
            return self._encode_all(_SEQUENCE_TAGS[kind], value, depth)
        if issubclass(kind, dict):
            return self._encode_all('"d"', chain.from_iterable(_dict.items(value)), depth)
        for base, tag in _SEQUENCE_TAGS.items():
            if issubclass(kind, base):
                members: Iterable[Any] = _untyped(base).__iter__(value)
                return self._encode_all(tag, members, depth)
        for base, plain in _PLAIN.items():
            if issubclass(kind, base):
                return self.encode(plain(value), depth)
        return self._encode_rational(value, depth)

    def _encode_rational(self, value: object, depth: int) -> str:
        """Encode a Decimal or a Fraction; who returns one has imported its module, so it is not done here."""
        kind = type(value)
        decimal, fractions = (_untyped(sys.modules.get(name)) for name in ("decimal", "fractions"))
        if decimal and issubclass(kind, decimal.Decimal):
            base = decimal.Decimal
            if not base.is_finite(value):
                return self.encode(base.__float__(value), depth)
            if abs(base.adjusted(value)) > MAX_EXPONENT:
                raise NotPlainError(f"Decimal of exponent {base.adjusted(value)}")
            ratio = base.as_integer_ratio(value)
        elif fractions and issubclass(kind, fractions.Fraction):
            ratio = fractions.Fraction.as_integer_ratio(value)
        else:
            raise NotPlainError(kind.__name__)
        return f'["q",{",".join([_encode_digits(part, kind) for part in ratio])}]'

    def _encode_all(self, tag: str, values: Iterable[Any], depth: int) -> str:
        return f"[{','.join([tag, *[self.encode(value, depth) for value in values]])}]"


def _encode_digits(value: object, kind: type) -> str:
    if type(value) is not int or value.bit_length() > MAX_INT_BITS:
        raise NotPlainError(f"{kind.__name__} of more than {MAX_INT_BITS} bits")
    return f'"{value:x}"'


def _untyped(value: Any) -> Any:
    """Drop a type: the base classes' own methods are called on values of unknown content."""
    return value


def _plain_bytes(value: Any) -> bytes:
    return _untyped(bytes).__getitem__(value, slice(None))


def _frozen_bytes(value: Any) -> bytes:
    return bytes(_untyped(bytearray).__getitem__(value, slice(None)))


_dict = _untyped(dict)

_SEQUENCE_TAGS: dict[type, str] = {
    list: '"l"',
    tuple: '"t"',
    set: '"S"',
    frozenset: '"F"',
    type(_dict().keys()): '"S"',
}

# The value of a subclass's instance, as an instance of the base itself.
_PLAIN: dict[type, Any] = {
    int: _untyped(int).__pos__,
    str: _untyped(str).__str__,
    float: _untyped(float).__pos__,
    bytes: _plain_bytes,
    bytearray: _frozen_bytes,
    complex: _untyped(complex).__pos__,
}


def _encode_scalar(value: object) -> str | None:
    if value is None:
        return '["n"]'
    if type(value) is bool:
        return '["b",1]' if value else '["b",0]'
    if type(value) is int:
        if value.bit_length() > MAX_INT_BITS:
            raise NotPlainError(f"int of {value.bit_length()} bits")
        return f'["i","{value:x}"]'
    if type(value) is float:
        return f'["f","{value.hex()}"]'
    if type(value) is str:
        return f'["s",{quote(value)}]'
    if type(value) is bytes:
        return f'["y","{value.hex()}"]'
    if type(value) is complex:
        return f'["c","{value.real.hex()}","{value.imag.hex()}"]'
    return None
