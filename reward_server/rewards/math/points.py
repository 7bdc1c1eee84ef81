"""The fixed rational points at which expressions with free symbols are compared."""

import zlib
from collections.abc import Mapping, Sequence
from fractions import Fraction

# How far from zero each point lies, about. Some are large, for domains such as that of sqrt(x - 5).
SPREAD = (1, 1, 9, 9, 60, 60, 200, 30)
POINTS = len(SPREAD)


def points(names: Sequence[str]) -> tuple[Mapping[str, Fraction], ...]:
    """Return fixed rational points: first positive ones, then of mixed sign, no two alike."""
    return tuple({name: coordinate(name, index) for name in names} for index in range(POINTS))


def coordinate(name: str, index: int) -> Fraction:
    """Return a rational that depends on name and point alone; at even points it is positive."""
    seed = zlib.crc32(f"{name}:{index}".encode())
    size = Fraction((seed % 1999 + 1) * SPREAD[index], 499 + index)
    return -size if index % 2 and seed & 0x10000 else size
