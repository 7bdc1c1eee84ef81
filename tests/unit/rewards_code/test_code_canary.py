"""The canary is a fair sample of the red team, and it does notice when something is wrong."""

import json
from pathlib import Path
from typing import Any

import pytest

from reward_server.errors import SandboxUnavailableError
from reward_server.rewards.code import CodeReward
from reward_server.rewards.code.canary import TESTS, Case, complaint, examine, load_cases
from reward_server.rewards.code.suites import parse_suite
from sandbox.api import CallResult, Limits, Program, Run, RunStatus, SandboxError, Usage, Value

CASES = Path(__file__).resolve().parents[2] / "cases"


def _table(name: str) -> dict[str, dict[str, Any]]:
    return {row["name"]: row for row in map(json.loads, (CASES / name).read_text("utf-8").splitlines())}


class Pretending:
    """A sandbox without any: it answers every program of the usual tests alike."""

    name = "pretending"
    slots = 1
    usage = Usage()

    def __init__(self, *values: int, error: SandboxError | None = None) -> None:
        self._values = values
        self._error = error

    async def run(self, program: Program, limits: Limits) -> Run:
        if self._error is not None:
            raise self._error
        results: tuple[CallResult, ...] = tuple(map(Value, self._values))
        return Run(status=RunStatus.OK, results=results[: len(program.calls)])

    async def check(self) -> None:
        """Always ready."""

    async def close(self) -> None:
        """Nothing was started."""


def _usual(cases: tuple[Case, ...], *, honest: bool) -> list[Case]:
    return [c for c in cases if c.reference.tests == TESTS and (c.catalogue_row is None) is honest]


def test_the_canary_is_taken_from_the_red_team() -> None:
    hostile, honest = _table("code_hostile.jsonl"), _table("code_honest.jsonl")

    for case in load_cases():
        if case.catalogue_row is None:
            row = honest[case.name]
            assert (row["answer"], row["verdict"]) == (case.answer, "CORRECT")
        else:
            row = hostile[case.name]
            assert case.answer == f"`````python\n{row['source']}`````"
            assert case.catalogue_row == row["catalogue_row"]
        assert tuple(row.get("tests", TESTS)) == case.reference.tests


def test_the_canary_has_an_attack_of_nearly_every_kind_and_several_honest_programs() -> None:
    cases = load_cases()
    kinds = {row["catalogue_row"] for row in _table("code_hostile.jsonl").values()}

    assert len(kinds - {case.catalogue_row for case in cases}) <= 2  # some only burn time
    assert sum(case.catalogue_row is None for case in cases) >= 8


def test_every_reference_of_the_canary_can_be_read() -> None:
    for case in load_cases():
        assert parse_suite(case.reference).assertions


async def test_a_sandbox_in_which_cheats_are_paid_is_found_out() -> None:
    cases = _usual(load_cases(), honest=False)

    wrong = complaint(await examine(CodeReward(Pretending(3, 123, 0)), cases))

    assert wrong is not None
    assert wrong.startswith("cheats were paid: ")
    assert all(case.name in wrong for case in cases)


async def test_a_sandbox_in_which_right_answers_are_refused_is_found_out() -> None:
    cases = _usual(load_cases(), honest=True)

    wrong = complaint(await examine(CodeReward(Pretending(0, 0, 0)), cases))

    assert wrong is not None
    assert wrong.startswith("right answers were refused: ")
    assert all(f"{case.name} (INCORRECT)" in wrong for case in cases)


async def test_a_sandbox_that_grades_as_it_should_gives_no_cause_for_complaint() -> None:
    honest = _usual(load_cases(), honest=True)

    assert complaint(await examine(CodeReward(Pretending(3, 123, 0)), honest)) is None


async def test_without_a_sandbox_nothing_is_known() -> None:
    with pytest.raises(SandboxUnavailableError, match="no engine"):
        await examine(CodeReward(Pretending(error=SandboxError("no engine"))), load_cases())
