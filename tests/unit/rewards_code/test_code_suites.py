"""Large references are parsed in steps, once for all who need them, and small ones at once."""

import asyncio
from collections.abc import Awaitable

import pytest

from reward_server.api import CodeReference
from reward_server.errors import BadReferenceError
from reward_server.rewards.code import suites
from reward_server.rewards.code.assertions import MAX_TEST_CHARS
from reward_server.rewards.code.suites import MAX_REFERENCE_CHARS, Suite, Suites, parse_suite

SMALL = CodeReference(tests=("assert f(1) == 2",))
INPUTS = 100
LARGE = CodeReference(
    tests=("assert f([0]) == 0",),
    hidden_tests=tuple(f"assert f({[number] * 1000}) == {number}" for number in range(INPUTS)),
)


async def test_a_small_reference_is_parsed_at_once() -> None:
    assert Suites().suite(SMALL) == parse_suite(SMALL)


async def test_others_have_their_turn_while_a_large_reference_is_parsed() -> None:
    turns = 0

    async def others() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    other = asyncio.create_task(others())
    suite = await _later(Suites(), LARGE)
    other.cancel()

    assert suite == parse_suite(LARGE)
    assert turns >= INPUTS


async def test_a_group_that_shares_a_large_reference_has_it_parsed_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    parsed = 0
    parse = suites.parse_assertion

    def count(where: str, test: str) -> object:
        nonlocal parsed
        parsed += 1
        return parse(where, test)

    monkeypatch.setattr(suites, "parse_assertion", count)
    shared = Suites()

    found = await asyncio.gather(*(_later(shared, LARGE) for _ in range(8)))

    assert parsed == INPUTS + 1
    assert all(each is found[0] for each in found)
    assert shared.suite(LARGE) is found[0]


async def test_one_who_leaves_does_not_keep_the_others_from_a_large_reference() -> None:
    shared = Suites()
    leaving = asyncio.create_task(_later(shared, LARGE))
    staying = asyncio.create_task(_later(shared, LARGE))
    await asyncio.sleep(0)
    await asyncio.sleep(0)

    leaving.cancel()

    assert (await staying).visible == 1


async def test_large_references_of_the_past_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(suites, "CACHED_SUITES", 1)
    shared = Suites()
    await _later(shared, LARGE)

    await _later(shared, CodeReference(tests=LARGE.hidden_tests))

    again = shared.suite(LARGE)
    assert isinstance(again, Awaitable)
    await again


async def test_a_test_that_would_hold_up_the_server_is_refused() -> None:
    long = f"assert f({'1,' * (MAX_TEST_CHARS // 2)}) == 1"

    with pytest.raises(BadReferenceError, match=rf"tests\[0\]: {len(long)} characters are more than"):
        await _later(Suites(), CodeReference(tests=(long,)))


async def test_more_tests_than_a_program_can_be_sent_are_refused() -> None:
    tests = ("assert f(1) == 2",) * (MAX_REFERENCE_CHARS // 16 + 1)

    with pytest.raises(BadReferenceError, match=r"tests: \d+ characters are more than"):
        await _later(Suites(), CodeReference(tests=tests))


async def _later(shared: Suites, reference: CodeReference) -> Suite:
    suite = shared.suite(reference)
    return await suite if isinstance(suite, Awaitable) else suite
