"""A batch of samples in, their outcomes out, in order.

The way of one sample: reward known? reference of the right type? completion short
enough? gate open? score in the cache, or an equal sample in flight? Then the reward
itself: on the spot, or in the queue of its class of cost. The reference comes before
everything the candidate did, so that a broken data row is never hidden by a reply of
bad format.

Nothing here blocks the event loop for more than a slice; nothing here waits past the
deadline; whoever leaves takes unshared work with him.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from reward_server.api import CostClass, Failure, FailureKind, Grade, Outcome, Sample, Score
from reward_server.cache.memory import Key, ScoreCache, key_of, may_keep
from reward_server.errors import InvalidGradeError, OverloadedError, UnknownRewardError, boundary
from reward_server.observing import UNOBSERVED, Observer
from reward_server.registry import Entry, Registry
from reward_server.rewards.xml_gate import Open, open_gate
from reward_server.scores import ScoringConfig, format_invalid, from_grade, too_long
from reward_server.scoring.flights import Flight, Flights, Landed, Plan
from reward_server.scoring.lanes import Lane
from reward_server.scoring.pace import Pace
from reward_server.scoring.siblings import compare_siblings
from reward_server.scoring.spread import Spread


@dataclass(frozen=True, kw_only=True, slots=True)
class Boarded:
    """A sample whose outcome is still in the air; `shared` when another call started the flight."""

    sample_id: str
    entry: Entry
    key: Key | None
    flight: Flight
    shared: bool


@dataclass(kw_only=True, slots=True)
class Call:
    """The state of one call. `deadline` and `arrived` are on the clock of `time.perf_counter`."""

    deadline: float
    arrived: float = field(default_factory=time.perf_counter)
    reserved: Counter[CostClass]
    boarded: list[Boarded] = field(default_factory=list[Boarded])
    started: set[Flight] = field(default_factory=set[Flight])
    pace: Pace
    pending: int = 0
    landing: asyncio.Event = field(default_factory=asyncio.Event)

    def board(self, boarded: Boarded) -> None:
        """Wait for a flight."""
        self.boarded.append(boarded)
        self.pending += 1
        boarded.flight.board(self._landed)

    async def landings(self) -> None:
        """Return when all flights have landed, or at the deadline."""
        with suppress(TimeoutError):
            async with asyncio.timeout(self.deadline - time.perf_counter()):
                while self.pending:
                    self.landing.clear()
                    await self.landing.wait()

    def _landed(self) -> None:
        self.pending -= 1
        if not self.pending:
            self.landing.set()


class Scorer:
    """Grades batches, on resources that it is given and does not own."""

    def __init__(
        self,
        registry: Registry,
        *,
        scoring: ScoringConfig,
        lanes: Mapping[CostClass, Lane],
        cache: ScoreCache,
        flights: Flights,
        on_defect: Callable[[str, Exception], None],
        spread: Spread | None = None,
        observer: Observer = UNOBSERVED,
    ) -> None:
        self._registry = registry
        self._scoring = scoring
        self._lanes = lanes
        self._cache = cache
        self._flights = flights
        self._on_defect = on_defect
        self._spread = spread
        self._observer = observer
        self._queues = {
            entry.info.name: entry.info.cost_class for entry in registry.entries if entry.may_queue
        }
        self._compared = frozenset(
            entry.info.name for entry in registry.entries if entry.info.compares_siblings
        )

    async def score(self, samples: Sequence[Sample], *, deadline: float, pace: Pace) -> list[Outcome]:
        """Grade a batch; what is unfinished at `deadline` (`time.perf_counter`) is a failure.

        Raises:
            OverloadedError: a queue has no room for this call; none of its work was started.
        """
        call = Call(deadline=deadline, reserved=self._reserve(samples), pace=pace)
        try:
            states = await self._begin(samples, call)
            if call.pending:
                pace.pause()
                await call.landings()
                pace.resume()
            outcomes = await _landed(states, call)
            if not self._compared:
                return outcomes
            return await compare_siblings(
                samples,
                outcomes,
                compared=self._compared,
                scoring=self._scoring,
                late=lambda: _late(call),
                pace=pace,
            )
        finally:
            self._release(call.reserved)
            for boarded in call.boarded:
                self._flights.leave(boarded.key, boarded.flight)

    def _reserve(self, samples: Sequence[Sample]) -> Counter[CostClass]:
        """Take a place for every sample that might queue, in all lanes or in none."""
        reserved: Counter[CostClass] = Counter()
        wanted: Counter[CostClass] = Counter()
        for reward, count in Counter([sample.reward for sample in samples]).items():
            if reward in self._queues:
                wanted[self._queues[reward]] += count
        try:
            for cost_class, lane in self._lanes.items():
                lane.reserve(wanted[cost_class])
                reserved[cost_class] = wanted[cost_class]
        except OverloadedError:
            self._release(reserved)
            raise
        return reserved

    def _release(self, reserved: Counter[CostClass]) -> None:
        for cost_class, count in reserved.items():
            self._lanes[cost_class].release(count)
        reserved.clear()

    async def _begin(self, samples: Sequence[Sample], call: Call) -> list[Outcome | Boarded]:
        """Decide what can be decided on the spot, and put the rest in flight."""
        states: list[Outcome | Boarded] = []
        for sample in samples:
            if call.pace.due():
                await call.pace.rest()
            states.append(self._start(sample, call))
        # Samples that were gated, cached, shared or decided on the spot need no place.
        self._release(call.reserved)
        return states

    def _start(self, sample: Sample, call: Call) -> Outcome | Boarded:
        started = time.perf_counter()
        try:
            entry = self._registry.find(sample.reward)
        except UnknownRewardError as error:
            failure = Failure(kind=error.kind, message=str(error))
            return Outcome(sample_id=sample.sample_id, result=failure, reward_version="")
        state: Score | Failure | Boarded | Open = _late(call) or _gated(sample, entry)
        cached = False
        if isinstance(state, Open):
            key = key_of(sample, entry.version) if entry.info.deterministic else None
            score = None if key is None else self._cache.get(key)
            cached = score is not None
            state = score or self._grade(sample, state.answer, entry, key, call)
        if isinstance(state, Boarded):
            return state
        return Outcome(
            sample_id=sample.sample_id,
            result=state,
            reward_version=entry.version,
            cached=cached,
            queue_ms=(started - call.arrived) * 1e3,
            grade_ms=(time.perf_counter() - started) * 1e3,
        )

    def _grade(
        self, sample: Sample, answer: str, entry: Entry, key: Key | None, call: Call
    ) -> Score | Failure | Boarded:
        """Board an equal sample's flight, or ask the reward: on the spot, or on a new flight."""
        flight = self._flights.find(key)
        if flight is None:
            graded = self._ask(sample, answer, entry, call)
            if isinstance(graded, Score | Failure):
                self._keep(key, graded)
                return graded
            flight = self._flights.start(key, graded, lambda landed: self._arrive(entry, key, landed))
            call.started.add(flight)
            call.reserved[entry.info.cost_class] -= 1
        boarded = Boarded(
            sample_id=sample.sample_id,
            entry=entry,
            key=key,
            flight=flight,
            shared=flight not in call.started,
        )
        call.board(boarded)
        return boarded

    def _ask(self, sample: Sample, answer: str, entry: Entry, call: Call) -> Score | Failure | Plan:
        with boundary(entry.info.name, self._on_defect) as caught:
            if self._spread is None:
                grade = entry.reward.grade(sample, answer)
            else:
                grade = self._spread.grade(entry.reward, sample, answer, alone=call.pace.is_short)
            if isinstance(grade, Grade):
                return from_grade(grade, entry.info.measure, self._scoring)
            lane = self._lanes[entry.info.cost_class] if entry.may_queue else None
            if lane is None:
                if asyncio.iscoroutine(grade):
                    grade.close()
                raise InvalidGradeError(
                    f"the reward is {entry.info.cost_class.value}, and returned an awaitable: a defect in it"
                )

            async def judge(work: Awaitable[Grade]) -> Score | Failure:
                with boundary(entry.info.name, self._on_defect) as caught:
                    return from_grade(await work, entry.info.measure, self._scoring)
                return caught.failure

            return Plan(work=grade, judge=judge, lane=lane, caller=call.pace.caller, arrived=call.arrived)
        return caught.failure

    def _arrive(self, entry: Entry, key: Key | None, landed: Landed) -> None:
        self._observer.work_ended(entry.info.name, entry.info.cost_class, landed.queue_ms, landed.grade_ms)
        self._keep(key, landed.result)

    def _keep(self, key: Key | None, result: Score | Failure) -> None:
        if key is not None and isinstance(result, Score) and may_keep(result.verdict):
            self._cache.put(key, result)


def _gated(sample: Sample, entry: Entry) -> Score | Failure | Open:
    """Decide a sample by its reference, its length and its format, or return its two blocks."""
    wanted = entry.info.reference
    if not isinstance(sample.reference, wanted):
        got = "none" if sample.reference is None else type(sample.reference).__name__
        message = f"reward {entry.info.name!r} takes a {wanted.__name__} as reference, the sample has {got}"
        return Failure(kind=FailureKind.BAD_REFERENCE, message=message)
    if score := too_long(sample.completion, entry.info.measure):
        return score
    gate = open_gate(sample.completion)
    return gate if isinstance(gate, Open) else format_invalid(gate.rule, entry.info.measure)


def _late(call: Call) -> Failure | None:
    return _out_of_time(call) if time.perf_counter() > call.deadline else None


def _out_of_time(call: Call) -> Failure:
    waited_s = call.deadline - call.arrived
    message = f"not graded within the {waited_s:.2f} s that the call's deadline left; send the sample again"
    return Failure(kind=FailureKind.DEADLINE, message=message)


async def _landed(states: Sequence[Outcome | Boarded], call: Call) -> list[Outcome]:
    outcomes: list[Outcome] = []
    for state in states:
        if call.pace.due():
            await call.pace.rest()
        outcomes.append(state if isinstance(state, Outcome) else _outcome(state, call))
    return outcomes


def _outcome(boarded: Boarded, call: Call) -> Outcome:
    landed = boarded.flight.landed()
    if landed is None:
        waited_ms = (time.perf_counter() - call.arrived) * 1e3
        landed = Landed(result=_out_of_time(call), queue_ms=waited_ms, grade_ms=0.0)
    return Outcome(
        sample_id=boarded.sample_id,
        result=landed.result,
        reward_version=boarded.entry.version,
        cached=boarded.shared and isinstance(landed.result, Score),
        queue_ms=landed.queue_ms,
        grade_ms=landed.grade_ms,
    )
