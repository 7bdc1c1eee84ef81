"""The code reward in every backend: honest programs are right, hostile ones earn nothing."""

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from reward_server.api import CodeReference, Verdict
from reward_server.errors import BadReferenceError
from sandbox.api import Limits
from sandbox.options import SandboxOptions
from tests.integration.code_reward_grader import Grader, open_grader

pytestmark = pytest.mark.asyncio(loop_scope="session")

CASES = Path(__file__).resolve().parents[1] / "cases"
TESTS = ("assert add(1, 2) == 3", "assert add(100, 23) == 123", "assert add(0, 0) == 0")
ADD = CodeReference(tests=TESTS)
LIMITS = Limits(cpu_seconds=0.75, wall_seconds=4.0)
HONEST = "```python\ndef add(a, b):\n    return a + b\n```"


def _rows(table: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (CASES / table).read_text("utf-8").splitlines()]


def _reference(row: dict[str, Any]) -> CodeReference:
    return CodeReference(
        tests=tuple(row.get("tests", TESTS)),
        setup=row.get("setup", ""),
        imports=tuple(row.get("imports", ())),
    )


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def grade(options: SandboxOptions) -> AsyncIterator[Grader]:
    async with open_grader(LIMITS, options) as grader:
        yield grader


@pytest.mark.parametrize("row", _rows("code_honest.jsonl"), ids=lambda row: row["name"])
async def test_an_honest_program_gets_its_verdict(row: dict[str, Any], grade: Grader) -> None:
    graded = await grade(row["answer"], _reference(row))

    assert graded.verdict is Verdict(row["verdict"]), f"{row['why']}: {graded.explanation}"
    assert graded.value == (1.0 if row["verdict"] == "CORRECT" else 0.0)
    assert graded.explanation == row.get("explanation", graded.explanation)


@pytest.mark.parametrize(
    "row", _rows("code_hostile.jsonl"), ids=lambda row: f"{row['catalogue_row']} {row['name']}"
)
async def test_a_hostile_program_earns_nothing_and_harms_no_one(
    row: dict[str, Any], grade: Grader, options: SandboxOptions
) -> None:
    verdicts = row.get("gvisor_verdicts" if options.runtime else "verdicts", row["verdicts"])
    answer = f"`````python\n{row['source']}`````"

    graded = await grade(answer, _reference(row))
    following = await grade(HONEST, ADD)

    assert graded.value == 0.0, row["why"]
    assert graded.verdict.value in verdicts, f"{row['why']}: {graded.explanation}"
    assert graded.explanation.isprintable()
    assert following.verdict is Verdict.CORRECT, following.explanation


async def test_imports_that_the_sandbox_lacks_are_no_fault_of_the_candidate(grade: Grader) -> None:
    with pytest.raises(BadReferenceError, match=r"imports: the sandbox cannot load them: .*no_such_module"):
        await grade(HONEST, replace(ADD, imports=("import math", "import no_such_module")))


async def test_a_program_cannot_blame_the_imports_for_its_own_fault(grade: Grader) -> None:
    forged = 'import os\nos.write(3, b\'["load","imports","ImportError","math"]\')\nos._exit(0)'

    graded = await grade(forged, replace(ADD, imports=("import math",)))

    assert (graded.value, graded.verdict) == (0.0, Verdict.RUNTIME_ERROR)
