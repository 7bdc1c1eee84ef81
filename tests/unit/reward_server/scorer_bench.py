"""A scorer on its own, with real lanes, flights and cache, for the tests of what it does with a batch."""

import asyncio
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager

from reward_server.api import CostClass, MathReference, Outcome, Reward, Sample, Score
from reward_server.cache.memory import ScoreCache
from reward_server.registry import Registry
from reward_server.scores import ScoringConfig
from reward_server.scoring.fair import Caller, Priority
from reward_server.scoring.flights import Flights
from reward_server.scoring.lanes import Lane
from reward_server.scoring.pace import Turnstile
from reward_server.scoring.scorer import Scorer
from reward_server.scoring.spread import Spread, samples_in_flight
from tests.fake_rewards import completion


class Bench:
    """A scorer with everything around it that a test looks at."""

    def __init__(
        self, rewards: list[Reward], flights: Flights, bound: int, spread: Spread | None = None
    ) -> None:
        self.defects: list[tuple[str, Exception]] = []
        self.flights = flights
        self.turnstile = Turnstile()
        self.cache = ScoreCache(100)
        self.lanes = {kind: Lane(kind.value, slots=1, bound=bound) for kind in CostClass}
        if spread is not None:
            self.lanes[CostClass.INLINE] = Lane("inline", slots=samples_in_flight(1), bound=bound)
        self.scorer = Scorer(
            Registry(rewards, ScoringConfig()),
            scoring=ScoringConfig(),
            lanes=self.lanes,
            cache=self.cache,
            flights=flights,
            on_defect=lambda reward, error: self.defects.append((reward, error)),
            spread=spread,
        )

    async def score(
        self, *samples: Sample, within_s: float = 30.0, priority: Priority = Priority.TRAINING
    ) -> list[Outcome]:
        with self.turnstile.pace(Caller(priority=priority)) as pace:
            return await self.scorer.score(samples, deadline=time.perf_counter() + within_s, pace=pace)

    def at_rest(self) -> bool:
        return len(self.flights) == 0 and all(lane.waiting == 0 for lane in self.lanes.values())


@asynccontextmanager
async def bench(*rewards: Reward, bound: int = 100, spread: Spread | None = None) -> AsyncGenerator[Bench]:
    async with Flights() as flights:
        made = Bench(list(rewards), flights, bound, spread)
        yield made
        # One turn of the loop, for the callbacks of cancelled work.
        await asyncio.sleep(0.01)
        assert made.at_rest()


def sample(sample_id: str, reward: str, answer: str = "x", **changes: object) -> Sample:
    fields: dict[str, object] = {
        "sample_id": sample_id,
        "reward": reward,
        "prompt": "p",
        "completion": completion(answer),
        "reference": MathReference(answer="1"),
    }
    return Sample(**{**fields, **changes})  # type: ignore[arg-type]


def kinds(outcomes: list[Outcome]) -> list[str]:
    return [
        outcome.result.verdict.value if isinstance(outcome.result, Score) else outcome.result.kind.value
        for outcome in outcomes
    ]


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not true():
            await asyncio.sleep(0.001)
