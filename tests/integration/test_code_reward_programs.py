"""The code reward with the real sandbox: honest programs are right, hostile ones earn nothing."""

import json
from collections.abc import AsyncIterator, Awaitable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from reward_server.api import CodeReference, Grade, Sample, Verdict
from reward_server.errors import BadReferenceError
from reward_server.rewards.code import CodeReward
from sandbox.api import Limits
from sandbox.opening import SandboxOptions, open_sandbox

pytestmark = [pytest.mark.docker, pytest.mark.asyncio(loop_scope="session")]

CASES = Path(__file__).resolve().parents[1] / "cases"
TESTS = ("assert add(1, 2) == 3", "assert add(100, 23) == 123", "assert add(0, 0) == 0")
LIMITS = Limits(cpu_seconds=0.75, wall_seconds=4.0)
HONEST = "```python\ndef add(a, b):\n    return a + b\n```"


def _rows(table: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (CASES / table).read_text("utf-8").splitlines()]


@dataclass(frozen=True, slots=True)
class Grader:
    """The reward, with references made from rows of a table."""

    reward: CodeReward

    async def __call__(self, answer: str, row: dict[str, Any]) -> Grade:
        reference = CodeReference(
            tests=tuple(row.get("tests", TESTS)),
            setup=row.get("setup", ""),
            imports=tuple(row.get("imports", ())),
        )
        sample = Sample(sample_id="1", reward="code", prompt="", completion="", reference=reference)
        grade = self.reward.grade(sample, answer)
        return await grade if isinstance(grade, Awaitable) else grade


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def grade(docker_engine: None) -> AsyncIterator[Grader]:
    sandbox = await open_sandbox(SandboxOptions(slots=1))
    try:
        await sandbox.check()
        yield Grader(CodeReward(sandbox, limits=LIMITS))
    finally:
        await sandbox.close()


@pytest.mark.parametrize("row", _rows("code_honest.jsonl"), ids=lambda row: row["name"])
async def test_an_honest_program_gets_its_verdict(row: dict[str, Any], grade: Grader) -> None:
    graded = await grade(row["answer"], row)

    assert graded.verdict is Verdict(row["verdict"]), f"{row['why']}: {graded.explanation}"
    assert graded.value == (1.0 if row["verdict"] == "CORRECT" else 0.0)
    assert graded.explanation == row.get("explanation", graded.explanation)


@pytest.mark.parametrize(
    "row", _rows("code_hostile.jsonl"), ids=lambda row: f"{row['catalogue_row']} {row['name']}"
)
async def test_a_hostile_program_earns_nothing_and_harms_no_one(row: dict[str, Any], grade: Grader) -> None:
    answer = f"`````python\n{row['source']}`````"

    graded = await grade(answer, row)
    following = await grade(HONEST, {})

    assert graded.value == 0.0, row["why"]
    assert graded.verdict.value in row["verdicts"], f"{row['why']}: {graded.explanation}"
    assert graded.explanation.isprintable()
    assert following.verdict is Verdict.CORRECT, following.explanation


async def test_imports_that_the_sandbox_lacks_are_no_fault_of_the_candidate(grade: Grader) -> None:
    with pytest.raises(BadReferenceError, match=r"imports: the sandbox cannot load them: .*no_such_module"):
        await grade(HONEST, {"imports": ["import math", "import no_such_module"]})


async def test_a_program_cannot_blame_the_imports_for_its_own_fault(grade: Grader) -> None:
    forged = 'import os\nos.write(3, b\'["load","imports","ImportError","math"]\')\nos._exit(0)'

    graded = await grade(forged, {"imports": ["import math"]})

    assert (graded.value, graded.verdict) == (0.0, Verdict.RUNTIME_ERROR)
