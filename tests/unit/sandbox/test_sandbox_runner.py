"""Who is to blame when containers are lost, with a pool that loses them as told."""

from typing import cast

import pytest

from sandbox.api import Limits, Program, RunStatus, SandboxError, Value
from sandbox.image.wire import Ending, Reply, Request
from sandbox.pool import Pool
from sandbox.runner import PooledSandbox
from sandbox.worker import Answer, WorkerFaultError, WorkerLostError

ANSWER = Answer(Reply(Ending.EXITED, 1), b'["ok",[["v",["i","7"]]]]')
PROGRAM = Program(source="", calls=("f()",))


class FakePool:
    """Plays a list of what happens to each run; `works` says whether another container can be had."""

    def __init__(self, *events: Answer | Exception, works: bool = True) -> None:
        self._events = list(events)
        self._works = works

    async def run(self, request: Request, body: bytes) -> Answer:
        event = self._events.pop(0)
        if isinstance(event, Exception):
            raise event
        return event

    async def prove(self) -> None:
        if not self._works:
            raise SandboxError("no engine")


def sandbox(pool: FakePool) -> PooledSandbox:
    return PooledSandbox(cast(Pool, pool), "test")


async def test_one_lost_container_costs_the_program_nothing():
    run = await sandbox(FakePool(WorkerLostError(), ANSWER)).run(PROGRAM, Limits())

    assert run.results == (Value(7),)


async def test_two_lost_containers_are_the_programs_doing():
    run = await sandbox(FakePool(WorkerLostError(), WorkerLostError())).run(PROGRAM, Limits())

    assert run.status is RunStatus.CRASHED


async def test_two_lost_containers_and_no_third_are_the_engines_doing():
    with pytest.raises(SandboxError, match="no engine"):
        await sandbox(FakePool(WorkerLostError(), WorkerLostError(), works=False)).run(PROGRAM, Limits())


async def test_containers_that_do_not_answer_are_the_hosts_doing():
    with pytest.raises(SandboxError, match="could not run a program"):
        await sandbox(FakePool(WorkerLostError(), WorkerFaultError())).run(PROGRAM, Limits())


async def test_no_engine_for_the_second_run_is_told():
    with pytest.raises(SandboxError, match="gone"):
        await sandbox(FakePool(WorkerLostError(), SandboxError("gone"))).run(PROGRAM, Limits())


async def test_calls_that_cannot_be_sent_are_the_callers_fault():
    program = Program(source="", calls=("f('" + "x" * 9_000_000 + "')",))

    with pytest.raises(ValueError, match="must fit"):
        await sandbox(FakePool()).run(program, Limits())
