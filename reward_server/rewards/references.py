"""Narrowing of `Sample.reference` to the type that a reward takes."""

from typing import TypeVar

from reward_server.api import Reference, Sample
from reward_server.errors import BadReferenceError

_Wanted = TypeVar("_Wanted", bound=Reference)


def reference_of(sample: Sample, wanted: type[_Wanted]) -> _Wanted:
    """Return the sample's reference as `wanted`.

    Raises:
        BadReferenceError: the reference is absent or of another type.
    """
    if isinstance(sample.reference, wanted):
        return sample.reference
    raise BadReferenceError(
        f"reward {sample.reward!r} takes a {wanted.__name__}, got {type(sample.reference).__name__}"
    )
