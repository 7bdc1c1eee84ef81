"""When long calls wait for short ones, and when not."""

import asyncio
import time

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


async def long_call(turnstile: Turnstile) -> None:
    with turnstile.pace(Caller()) as pace:
        for _ in range(3):
            time.sleep(2 * SLICE_S)
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


def test_slices_are_short_while_short_calls_are_about() -> None:
    async def slice_s(turnstile: Turnstile) -> float:
        with turnstile.pace(Caller()) as pace:
            time.sleep(2 * SLICE_S)
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
