"""Every MBPP reference solution passes its own tests, through the reward and the real sandbox.

Hash seeds: the sandbox runs with seed 0 alone, so that all containers order sets alike. That no
reference is right by that order only is shown by running them with another seed, outside.
"""

import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from reward_server.api import CodeReference
from sandbox.api import Limits
from tasks.adapters.mbpp import SLOW_REFERENCES_MS
from tests.integration.code_reward_grader import Grader, open_grader

pytestmark = [pytest.mark.docker, pytest.mark.data, pytest.mark.asyncio(loop_scope="session")]

FILES = [
    f"{name}/{split}.jsonl"
    for name in ("mbpp", "mbpp_sanitized")
    for split in ("prompt", "train", "validation", "test")
]
OTHER_SEED = "1"
BOUND_S = 280.0  # against hangs
ASSERT_ALL = """
import json, sys, warnings
warnings.simplefilter("ignore")
for line in sys.stdin:
    row, names = json.loads(line), {}
    parts = [row["code"], *row.get("test_imports", ()), row.get("test_setup_code", ""), *row["test_list"]]
    try:
        for part in parts:
            exec(part, names)
    except Exception as error:
        print(row["task_id"], repr(error))
"""


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def grade(docker_engine: None) -> AsyncIterator[Grader]:
    async with open_grader(Limits()) as grader:
        yield grader


def _rows(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text("utf-8").splitlines()]


def _reference(row: dict[str, Any]) -> CodeReference:
    return CodeReference(
        tests=tuple(row["test_list"]),
        setup=row.get("test_setup_code", ""),
        imports=tuple(row.get("test_imports", ())),
        reference_cpu_ms=SLOW_REFERENCES_MS.get(str(row["task_id"]), 0.0),
    )


@pytest.mark.parametrize("file", FILES)
async def test_every_reference_solution_is_correct(file: str, data_dir: Path, grade: Grader) -> None:
    rows = _rows(data_dir / file)

    grades = {row["task_id"]: await grade(row["code"], _reference(row)) for row in rows}

    assert {task: found.explanation for task, found in grades.items() if found.value != 1.0} == {}


async def test_no_reference_solution_is_correct_for_the_task_before(data_dir: Path, grade: Grader) -> None:
    rows = _rows(data_dir / "mbpp" / "validation.jsonl")

    grades = {row["task_id"]: await grade(other["code"], _reference(row)) for row, other in pairwise(rows)}

    assert {task: found.explanation for task, found in grades.items() if found.value != 0.0} == {}


async def test_sets_of_text_have_one_order_in_the_sandbox(grade: Grader) -> None:
    program = "import sys\ndef f():\n    return sys.flags.hash_randomization\n"

    graded = await grade(program, CodeReference(tests=("assert f() == 0",)))

    assert graded.value == 1.0, graded.explanation


@pytest.mark.parametrize("file", FILES)
async def test_no_reference_solution_is_right_by_the_hash_seed(file: str, data_dir: Path) -> None:
    environment = {**os.environ, "PYTHONHASHSEED": OTHER_SEED}
    rows = (data_dir / file).read_text("utf-8")

    done = subprocess.run(
        [sys.executable, "-c", ASSERT_ALL],
        input=rows,
        env=environment,
        capture_output=True,
        text=True,
        timeout=BOUND_S,
        check=True,
    )

    assert done.stdout == ""
