"""`@value`: a dataclass that the type checker holds to be frozen.

At run time it is none: a frozen one costs more than twice as much to make, and a step of
training makes thousands. The server has its own, as it shares no code with this package.
"""

from dataclasses import dataclass
from typing import TypeVar, dataclass_transform

_T = TypeVar("_T")


@dataclass_transform(frozen_default=True, kw_only_default=True)
def value(kind: type[_T]) -> type[_T]:
    """Make a class of keyword-only fields, comparable and hashable by them, not to be changed."""
    return dataclass(kw_only=True, slots=True, unsafe_hash=True)(kind)
