"""`@value`: a dataclass that the type checker holds to be frozen.

At run time it is none. Setting each field of a frozen dataclass by way of
`object.__setattr__` makes a new one cost more than twice as much (`python -m bench.grader_speed`
counts it in): one sample makes half a dozen of them.
"""

from dataclasses import dataclass
from typing import TypeVar, dataclass_transform

_T = TypeVar("_T")


@dataclass_transform(frozen_default=True, kw_only_default=True)
def value(kind: type[_T]) -> type[_T]:
    """Make a class of keyword-only fields, comparable and hashable by them, not to be changed."""
    return dataclass(kw_only=True, slots=True, unsafe_hash=True)(kind)
