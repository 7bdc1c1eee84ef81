"""An engine of the test's own: stopped, killed and started again, and one with another runtime."""

import asyncio
import shutil
import signal
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
import pytest_asyncio

from sandbox.api import Limits, Program, Run, Sandbox, SandboxError, Value
from sandbox.opening import open_sandbox
from sandbox.options import BackendChoice, SandboxOptions
from sandbox.selfcheck import probe_all
from tests.integration.private_engine import PrivateEngine, private_engine

pytestmark = [pytest.mark.docker, pytest.mark.asyncio(loop_scope="module")]

SEVEN = Program(source="def f(): return 7", calls=("f()",))
SLEEPER = Program(source="import time\ndef f(): time.sleep(60)", calls=("f()",))
LIMITS = Limits(cpu_seconds=20, wall_seconds=90)


@pytest.fixture(scope="module")
def engine(sandbox_image: str) -> Iterator[PrivateEngine]:
    with private_engine() as engine:
        yield engine


@pytest_asyncio.fixture(loop_scope="module")
async def box(engine: PrivateEngine) -> AsyncIterator[Sandbox]:
    box = await open_sandbox(SandboxOptions(slots=2, backend=BackendChoice.DOCKER, docker_host=engine.host))
    yield box
    await box.close()


def values(run: Run) -> list[object]:
    return [result.data for result in run.results if isinstance(result, Value)]


async def run_when_back(box: Sandbox) -> Run:
    async with asyncio.timeout(60):
        while True:
            try:
                return await box.run(SEVEN, LIMITS)
            except SandboxError:
                await asyncio.sleep(0.1)


@pytest.mark.parametrize("by", [signal.SIGTERM, signal.SIGKILL], ids=["stopped", "killed"])
async def test_an_engine_that_is_restarted_costs_failures_and_never_a_verdict(
    engine: PrivateEngine, box: Sandbox, by: signal.Signals
):
    running = [asyncio.create_task(box.run(SLEEPER, LIMITS)) for _ in range(4)]
    await asyncio.sleep(0.5)

    await asyncio.to_thread(engine.end, by)
    outcomes: list[Any] = await asyncio.gather(*running, return_exceptions=True)
    with pytest.raises(SandboxError, match="no Docker Engine answers at"):
        await box.check()
    await asyncio.to_thread(engine.start)
    run = await run_when_back(box)
    await box.check()
    await box.close()

    assert [type(outcome) for outcome in outcomes] == [SandboxError] * 4
    assert values(run) == [7]
    assert engine.containers() == []


async def test_gvisor_withstands_the_self_check_and_nothing_of_it_stays(engine: PrivateEngine):
    if shutil.which("runsc") is None:
        pytest.skip("gVisor's runsc is not installed; it is an option, not a requirement")
    options = SandboxOptions(slots=2, runtime="runsc", docker_host=engine.host)

    box = await open_sandbox(options)
    try:
        name, findings = box.name, await probe_all(box)
    finally:
        await box.close()

    assert name == "docker with runsc"
    assert [finding for finding in findings if finding.problem] == []
    assert engine.containers() == []
