"""Parses references into suites of tests, in steps, so that a large one does not hold up the server.

A small reference is parsed at once. A large one (hidden tests with long inputs) is parsed test by
test, with everybody else's turn in between, by one of those who need it; the others wait for it.
"""

import ast
import asyncio
from collections.abc import Awaitable, Generator
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain
from typing import Final

from reward_server.api import CodeReference
from reward_server.errors import BadReferenceError
from reward_server.rewards.code.assertions import Assertion, excerpt, parse_assertion, parse_source

MAX_REFERENCE_CHARS: Final = 2**19  # it fits a request to the sandbox, in whatever script
INLINE_CHARS: Final = 2**13  # some ten milliseconds of parsing; nearly all references have less than a tenth
CACHED_SUITES: Final = 2048  # more than MBPP has problems; a group shares one


@dataclass(frozen=True, kw_only=True, slots=True)
class Suite:
    """A parsed reference: the first `visible` assertions may be in the prompt, the rest are hidden.

    `entry_point` is the given one, else the first name under test.
    """

    assertions: tuple[Assertion, ...]
    visible: int
    entry_point: str


class Suites:
    """The suites of the references seen last."""

    def __init__(self) -> None:
        self._small = lru_cache(maxsize=CACHED_SUITES)(parse_suite)
        self._large: dict[CodeReference, Suite] = {}  # the one used last is at the end
        self._turn = asyncio.Lock()

    def suite(self, reference: CodeReference) -> Suite | Awaitable[Suite]:
        """Return the suite of a reference, or, where it is large and new, something to wait for.

        Raises:
            BadReferenceError: at once or from the awaitable; names the field and the reason.
        """
        if _size(reference) <= INLINE_CHARS:
            return self._small(reference)
        return self._known(reference) or self._parse_slowly(reference)

    def _known(self, reference: CodeReference) -> Suite | None:
        suite = self._large.pop(reference, None)
        if suite is not None:
            self._large[reference] = suite
        return suite

    async def _parse_slowly(self, reference: CodeReference) -> Suite:
        async with self._turn:
            suite = self._known(reference)
            steps = _steps(reference)
            while suite is None:
                try:
                    next(steps)
                except StopIteration as end:
                    suite = end.value
                else:
                    await asyncio.sleep(0)
            self._large[reference] = suite
            if len(self._large) > CACHED_SUITES:
                del self._large[next(iter(self._large))]
            return suite


def parse_suite(reference: CodeReference) -> Suite:
    """Parse every test, and check that imports and setup are Python at all.

    Raises:
        BadReferenceError: names the field and the reason.
    """
    steps = _steps(reference)
    while True:
        try:
            next(steps)
        except StopIteration as end:
            suite: Suite = end.value
            return suite


def _size(reference: CodeReference) -> int:
    sources = (reference.tests, reference.hidden_tests, reference.imports, (reference.setup,))
    return sum(map(len, chain.from_iterable(sources)))


def _steps(reference: CodeReference) -> Generator[None, None, Suite]:
    """Parse a reference, yielding after each part."""
    if not reference.tests:
        raise BadReferenceError("tests: a code reference needs at least one assert")
    if (size := _size(reference)) > MAX_REFERENCE_CHARS:
        raise BadReferenceError(f"tests: {size} characters are more than the {MAX_REFERENCE_CHARS} allowed")
    for position, line in enumerate(reference.imports):
        body = parse_source(f"imports[{position}]", line)
        if not all(isinstance(statement, ast.Import | ast.ImportFrom) for statement in body):
            raise BadReferenceError(f"imports[{position}]: not an import statement: {excerpt(line)}")
    parse_source("setup", reference.setup)
    yield
    fields = (("tests", reference.tests), ("hidden_tests", reference.hidden_tests))
    assertions: list[Assertion] = []
    for name, tests in fields:
        for position, test in enumerate(tests):
            assertions.append(parse_assertion(f"{name}[{position}]", test))
            yield
    functions = (assertion.function for assertion in assertions if assertion.function)
    return Suite(
        assertions=tuple(assertions),
        visible=len(reference.tests),
        entry_point=reference.entry_point or next(functions, ""),
    )
