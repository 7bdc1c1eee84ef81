"""Which prompts a step asks: a cursor over the mixture, and pass rates where rows would repeat.

The cursor is Grain's iterator over the mixture, which starts again behind its last place.
Its state and the pass rates are JSON values and go into every checkpoint, so that a
resumed run asks what the unbroken one would have asked, whatever was refilled before.
"""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import grain
import numpy as np

from tasks.api import Domain, Example
from tasks.mixing import Mixture
from tasks.pass_rates import PassRates


@dataclass(frozen=True, kw_only=True, slots=True)
class Draw:
    """One prompt to ask. `position` counts draws from 0 and never repeats within a run."""

    position: int
    example: Example


class Draws:
    """Takes prompts in order, and learns which ones are worth asking again."""

    def __init__(self, mixture: Mixture, *, exhausted: Literal["repeat", "pass_rate"], seed: int) -> None:
        self._mixture = mixture
        self._seed = seed
        self._prefers = exhausted == "pass_rate"
        self._pass_rates = PassRates()
        self._pools: dict[Domain, list[Example]] = defaultdict(list)
        for example in dict.fromkeys(mixture):
            self._pools[example.domain].append(example)
        # In this thread and one by one: what is behind the cursor was taken, and nothing else was.
        options = grain.ReadOptions(num_threads=0, prefetch_buffer_size=0)
        self._places = iter(grain.MapDataset.source(mixture).repeat().to_iter_dataset(options))

    @property
    def position(self) -> int:
        """Draws taken so far."""
        return self._places.get_state()["next_index"]

    def take(self, count: int) -> list[Draw]:
        """Returns the next draws; within one call no row is preferred twice."""
        taken: list[Draw] = []
        for _ in range(count):
            position = self.position
            example = next(self._places)
            if self._prefers and self._repeats(position):
                used = {draw.example.example_id for draw in taken}
                key = f"{self._seed}/pass rate/{position}"
                example = self._pass_rates.choose(self._pools[example.domain], key=key, taken=used)
            taken.append(Draw(position=position, example=example))
        return taken

    def observe(self, example: Example, passed: np.ma.MaskedArray) -> None:
        """Learns from a group; `passed` [group] is masked where a completion has no score."""
        if self._prefers and passed.count():
            self._pass_rates.observe(
                example.example_id, passed=float(passed.sum()), asked=int(passed.count())
            )

    def state(self) -> dict[str, Any]:
        """Gives the cursor and the pass rates as JSON values."""
        return {"places": dict(self._places.get_state()), "pass_rates": self._pass_rates.state()}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Goes on where `state` was taken."""
        self._places.set_state(dict(state["places"]))
        self._pass_rates = PassRates(state["pass_rates"])

    def _repeats(self, position: int) -> bool:
        return position >= len(self._mixture) or self._mixture.repeats(position)
