"""When long calls wait for short ones, and when not."""

import asyncio
import time

import pytest

from reward_server.scoring import pace
from reward_server.scoring.fair import Caller
from reward_server.scoring.pace import SHORT_SLICE_S, SLICE_S, Turnstile


class CountingTimers(asyncio.SelectorEventLoop):
    """A real loop that counts how often somebody asked to be woken up later."""

    def __init__(self) -> None:
        super().__init__()
        self.timers = 0

    def call_later(self, *args, **kwargs):
        self.timers += 1
        return super().call_later(*args, **kwargs)


def work_for(seconds: float) -> None:
    ends = time.thread_time() + seconds
    while time.thread_time() < ends:
        pass


async def long_call(turnstile: Turnstile) -> None:
    with turnstile.pace(Caller()) as pace:
        for _ in range(3):
            work_for(2 * SLICE_S)
            assert pace.due()
            await pace.rest()


def timers_of(work) -> int:
    with asyncio.Runner(loop_factory=CountingTimers) as runner:
        runner.run(work())
        loop = runner.get_loop()
        assert isinstance(loop, CountingTimers)
        return loop.timers


def test_long_calls_alone_never_sleep() -> None:
    async def work() -> None:
        turnstile = Turnstile()
        await asyncio.gather(*(long_call(turnstile) for _ in range(3)))

    assert timers_of(work) == 0


def test_a_long_call_sleeps_between_slices_while_short_ones_are_about() -> None:
    async def work() -> None:
        turnstile = Turnstile()
        with turnstile.pace(Caller()):
            pass  # a short call, just answered
        await long_call(turnstile)

    assert timers_of(work) > 0


def test_a_call_does_not_sleep_after_its_first_slice_but_lets_others_go_on() -> None:
    went_on: list[str] = []

    async def other() -> None:
        went_on.append("other")

    async def work() -> None:
        turnstile = Turnstile()
        with turnstile.pace(Caller()):
            pass  # a short call, just answered, and there may be no other
        with turnstile.pace(Caller()) as pace:
            work_for(2 * SLICE_S)
            going_on = asyncio.create_task(other())
            await pace.rest()
            went_on.append("itself")
        await going_on

    assert timers_of(work) == 0
    assert went_on == ["other", "itself"]


def test_slices_are_short_while_short_calls_are_about() -> None:
    async def slice_s(turnstile: Turnstile) -> float:
        with turnstile.pace(Caller()) as pace:
            work_for(2 * SLICE_S)
            await pace.rest()
            began = time.perf_counter()
            while not pace.due():
                pass
            return time.perf_counter() - began

    alone, beside = Turnstile(), Turnstile()
    with beside.pace(Caller()):
        pass  # a short call, just answered

    assert asyncio.run(slice_s(alone)) > 2 * SHORT_SLICE_S
    assert asyncio.run(slice_s(beside)) < 2 * SHORT_SLICE_S


def test_a_call_that_did_not_get_the_cpu_is_not_long(monkeypatch: pytest.MonkeyPatch) -> None:
    # So long that nothing else on the machine uses up what is left of it.
    slice_s = 0.25
    monkeypatch.setattr(pace, "SLICE_S", slice_s)

    async def work() -> None:
        turnstile = Turnstile()
        with turnstile.pace(Caller()) as long:
            work_for(1.1 * slice_s)
            await long.rest()  # and has the turn, which others would wait for
            with turnstile.pace(Caller()) as short:
                time.sleep(1.1 * slice_s)  # as where other processes run instead
                assert short.due()
                await asyncio.wait_for(short.rest(), timeout=10)
                assert not short.due()

    asyncio.run(work())


@pytest.mark.parametrize(("stretch_s", "order"), [(60.0, "aaaabbbb"), (0.0, "abababab")])
def test_a_long_call_keeps_its_turn_for_a_stretch(
    stretch_s: float, order: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pace, "STRETCH_S", stretch_s)
    rested: list[str] = []

    async def call(turnstile: Turnstile, name: str) -> None:
        with turnstile.pace(Caller()) as own:
            for _ in range(4):
                work_for(1.1 * SLICE_S)
                await own.rest()
                rested.append(name)

    async def work() -> None:
        turnstile = Turnstile()
        await asyncio.gather(call(turnstile, "a"), call(turnstile, "b"))

    asyncio.run(work())
    assert "".join(rested) == order
