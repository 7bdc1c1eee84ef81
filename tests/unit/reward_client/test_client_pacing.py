"""How many calls a client keeps in flight, without a server."""

import asyncio

import pytest

from reward_client.pacing import LARGEST_WINDOW, Window


async def fill(window: Window) -> list[int]:
    return [await window.enter() for _ in range(window.size)]


async def test_refusals_of_calls_sent_together_halve_the_window_once() -> None:
    window = Window()
    sent = await fill(window)

    for each in sent:
        window.refused(each, 0.0)

    assert window.size == LARGEST_WINDOW // 2


async def test_the_window_grows_back_with_answers_and_no_further() -> None:
    window = Window(8)
    window.refused(await window.enter(), 0.0)
    window.leave()
    assert window.size == 4

    for _ in range(100):
        window.answered()

    assert window.size == 8


async def test_a_call_waits_while_the_window_is_full() -> None:
    window = Window(2)
    await fill(window)
    third = asyncio.create_task(window.enter())
    await asyncio.sleep(0)
    assert not third.done()

    window.leave()

    async with asyncio.timeout(10):
        await third


async def test_at_one_call_the_window_closes_for_as_long_as_the_server_asked() -> None:
    window = Window(1)
    window.refused(await window.enter(), 0.1)
    window.leave()
    began = asyncio.get_running_loop().time()

    async with asyncio.timeout(10):
        await window.enter()

    assert asyncio.get_running_loop().time() - began > 0.09


@pytest.mark.parametrize("granted", [False, True])
async def test_a_call_that_is_given_up_leaves_no_gap(granted: bool) -> None:
    window = Window(1)
    await window.enter()
    waiting = asyncio.create_task(window.enter())
    await asyncio.sleep(0)

    if granted:
        window.leave()
    waiting.cancel()
    await asyncio.wait([waiting])
    if not granted:
        window.leave()

    assert waiting.cancelled()
    async with asyncio.timeout(10):
        await window.enter()
