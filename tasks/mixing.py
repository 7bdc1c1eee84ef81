"""How many rows of each domain a run sees, and in which order.

A domain with n rows gets the share p proportional to n^alpha: alpha 1 is the natural mix,
alpha 0 gives every domain the same, alpha 0.5 (the default) lies between. Papers write
the same thing as n^(1/T) with T = 1/alpha (T5), so that "temperature 0.5" means alpha 2
to one reader and alpha 0.5 to another; the two do the opposite. Only alpha exists here,
and only in [0, 1], where it flattens.

Shares become whole numbers by the largest remainder. Within a domain, and at every place
of the mix, no row returns before every row of the domain has been used once. Then another
epoch begins in a new order; a trainer may put other rows into the places of repeats
(`tasks.pass_rates`), but the domain of every place stays what it was.

This is what a public GRPO project calls DISCO, for distribution correction. The paper of
that name (arXiv 2505.15074) scales rewards and is in `trainer.experience.disco`.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import overload

from tasks.api import Domain, Example
from tasks.errors import MixtureError


@dataclass(frozen=True, kw_only=True, slots=True)
class DomainShare:
    """What one domain contributes. `epochs` is `rows / available`: above 1, rows repeat."""

    domain: Domain
    available: int
    rows: int

    @property
    def epochs(self) -> float:
        return self.rows / self.available


def shares(available: Mapping[Domain, int], *, alpha: float) -> dict[Domain, float]:
    """Compute p proportional to n^alpha over the domains that have rows.

    Raises:
        MixtureError: alpha outside [0, 1], or no rows at all.
    """
    if not 0.0 <= alpha <= 1.0:
        raise MixtureError(
            f"alpha is the exponent in p ~ n^alpha and lies in [0, 1] (1 natural, 0 uniform), got {alpha!r}; "
            f"a temperature T in the notation n^(1/T) is alpha = 1/T"
        )
    weights = {domain: n**alpha for domain, n in available.items() if n > 0}
    if not weights:
        raise MixtureError("there is no row to mix")
    total = math.fsum(weights.values())
    return {domain: weight / total for domain, weight in weights.items()}


def quotas(share: Mapping[Domain, float], total: int) -> dict[Domain, int]:
    """Round shares to whole rows that add up to `total`, by the largest remainder.

    Ties go to the domain named first in `Domain`.
    """
    exact = {domain: share[domain] * total for domain in Domain if domain in share}
    whole = {domain: math.floor(value) for domain, value in exact.items()}
    by_remainder = sorted(exact, key=lambda domain: whole[domain] - exact[domain])
    for domain in by_remainder[: total - sum(whole.values())]:
        whole[domain] += 1
    return whole


class Mixture(Sequence[Example]):
    """`total` examples in a fixed order: item i depends on (examples, total, seed, alpha) and i alone.

    There is no iterator state to save: a run resumes by asking for its next position. As
    a sequence it is also a source for `grain.MapDataset`.
    """

    def __init__(self, examples: Sequence[Example], *, total: int, seed: int, alpha: float = 0.5) -> None:
        """Lay out the order.

        Raises:
            MixtureError: `total` below 1, alpha outside [0, 1], or no examples.
        """
        if total < 1:
            raise MixtureError(f"a mix needs at least one row, got total={total!r}")
        self._examples = tuple(examples)
        pools = {d: [i for i, e in enumerate(self._examples) if e.domain is d] for d in Domain}
        rows = quotas(shares({d: len(pool) for d, pool in pools.items()}, alpha=alpha), total)
        self._report = tuple(
            DomainShare(domain=domain, available=len(pools[domain]), rows=count)
            for domain, count in rows.items()
        )
        places = [domain for domain, count in rows.items() for _ in range(count)]
        _random(f"{seed}/order").shuffle(places)
        streams = {d: iter(_draw(pools[d], count, f"{seed}/{d.value}")) for d, count in rows.items()}
        self._order = tuple(next(streams[domain]) for domain in places)
        self._first_uses = _first_uses(self._order)

    def report(self) -> tuple[DomainShare, ...]:
        """Say how many rows each domain has and gives, in the order of `Domain`."""
        return self._report

    def repeats(self, index: int) -> bool:
        """Say whether the row at a place was already used at an earlier one."""
        return index not in self._first_uses

    def __len__(self) -> int:
        return len(self._order)

    @overload
    def __getitem__(self, index: int) -> Example: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Example]: ...
    def __getitem__(self, index: int | slice) -> Example | Sequence[Example]:
        if isinstance(index, slice):
            return tuple(self._examples[i] for i in self._order[index])
        return self._examples[self._order[index]]


def _first_uses(order: Sequence[int]) -> frozenset[int]:
    seen: dict[int, int] = {}
    for place, row in enumerate(order):
        seen.setdefault(row, place)
    return frozenset(seen.values())


def _draw(pool: Sequence[int], count: int, key: str) -> list[int]:
    """Take `count` items, whole epochs first, each epoch in its own order."""
    drawn: list[int] = []
    for epoch in range(math.ceil(count / len(pool))):
        drawn += _random(f"{key}/{epoch}").sample(pool, len(pool))
    return drawn[:count]


def _random(key: str) -> Random:
    # Seeded by text: the same on every machine, whatever the hash seed of the process.
    return Random(key)  # noqa: S311 - an order of rows, not a secret
