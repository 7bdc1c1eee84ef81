"""The canary: a small red team, run through the live code reward to see whether it still holds.

One program or more for each family of attacks, and a few honest ones of different shapes.
A hostile program must earn nothing, an honest one full marks; anything else means that this
host, image or build cannot be trusted to grade, whatever the unit tests said elsewhere.
The whole red team is in the tests; these rows are taken from it.
"""

import asyncio
import json
from collections.abc import Awaitable, Iterable
from dataclasses import dataclass
from importlib import resources
from typing import Any, Final

from reward_server.api import CodeReference, Grade, Sample
from reward_server.errors import BadReferenceError
from reward_server.rewards.code.reward import CodeReward

TESTS: Final = ("assert add(1, 2) == 3", "assert add(100, 23) == 123", "assert add(0, 0) == 0")
REFERENCE_CPU_MS: Final = 1.0  # the least budget there is, so that endless loops end soon


@dataclass(frozen=True, kw_only=True, slots=True)
class Case:
    """A program whose grade is known. `catalogue_row` numbers its kind of attack; None is honest."""

    name: str
    catalogue_row: int | None
    why: str
    answer: str
    reference: CodeReference

    @property
    def value(self) -> float:
        """What the program must earn."""
        return 1.0 if self.catalogue_row is None else 0.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Checked:
    """A case and what became of it."""

    case: Case
    verdict: str
    explanation: str
    passed: bool


def load_cases() -> tuple[Case, ...]:
    """Read the cases that ship with this package."""
    table = resources.files("reward_server.rewards.code").joinpath("canary.jsonl").read_text("utf-8")
    return tuple(_case(json.loads(line)) for line in table.splitlines())


def _case(row: dict[str, Any]) -> Case:
    reference = CodeReference(
        tests=tuple(row.get("tests", TESTS)),
        setup=row.get("setup", ""),
        imports=tuple(row.get("imports", ())),
        reference_cpu_ms=REFERENCE_CPU_MS,
    )
    return Case(
        name=row["name"],
        catalogue_row=row.get("catalogue_row"),
        why=row["why"],
        answer=row["answer"],
        reference=reference,
    )


async def examine(reward: CodeReward, cases: Iterable[Case], *, at_once: int = 1) -> list[Checked]:
    """Grade every case, so many of them at once; one after the other they leave slots to real work.

    Raises:
        SandboxUnavailableError: no program could be run, so nothing is known.
    """
    turns = asyncio.Semaphore(at_once)

    async def check(case: Case) -> Checked:
        async with turns:
            return await _check(reward, case)

    found = await asyncio.gather(*map(check, cases), return_exceptions=True)
    for each in found:
        if isinstance(each, BaseException):
            raise each
    return [each for each in found if isinstance(each, Checked)]


async def _check(reward: CodeReward, case: Case) -> Checked:
    sample = Sample(
        sample_id=case.name, reward="code", prompt="", completion=case.answer, reference=case.reference
    )
    try:
        graded = reward.grade(sample, case.answer)
        grade: Grade = await graded if isinstance(graded, Awaitable) else graded
    except BadReferenceError as error:  # e.g. a module of the standard library that the image lacks
        return Checked(case=case, verdict="BAD_REFERENCE", explanation=str(error), passed=False)
    return Checked(
        case=case,
        verdict=grade.verdict.value,
        explanation=grade.explanation,
        passed=grade.value == case.value,
    )


def complaint(checked: Iterable[Checked]) -> str | None:
    """Say in one line which cases went wrong, or return None when none did."""
    wrong = [each for each in checked if not each.passed]
    paid = [each.case.name for each in wrong if each.case.catalogue_row is not None]
    refused = [f"{each.case.name} ({each.verdict})" for each in wrong if each.case.catalogue_row is None]
    parts = [f"cheats were paid: {', '.join(paid)}"] if paid else []
    parts += [f"right answers were refused: {', '.join(refused)}"] if refused else []
    return "; ".join(parts) or None
