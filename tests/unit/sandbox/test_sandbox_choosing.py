"""Which backend is taken: the first that is fit, and none when none is."""

import asyncio
from functools import partial

import pytest

from sandbox.api import CallResult, Limits, Program, Run, RunStatus, Sandbox, SandboxError, Usage, Value
from sandbox.choosing import ChosenSandbox
from sandbox.options import BackendChoice, SandboxOptions
from sandbox.selfcheck import PROBES


class FakeSandbox:
    """Answers probes as a fit sandbox does, but those named in `broken`; `reason` says why it cannot run."""

    def __init__(self, name: str, *, broken: str = "", reason: str = "") -> None:
        self.name = name
        self.slots = 1
        self.usage = Usage()
        self.reason = reason
        self.closed = 0
        self.opened = 0
        self._broken = broken

    async def open(self) -> Sandbox:
        self.opened += 1
        return self

    async def check(self) -> None:
        if self.reason:
            raise SandboxError(self.reason)

    async def run(self, program: Program, limits: Limits) -> Run:
        probe = next((probe for probe in PROBES if probe.source == program.source), None)
        if probe is None:
            return Run(status=RunStatus.OK, results=(Value(self.name),))
        if probe.name == self._broken:
            return Run(status=RunStatus.OK, results=(Value("escaped"),))
        results: tuple[CallResult, ...] = (Value(probe.value),) if probe.status is RunStatus.OK else ()
        return Run(status=probe.status, results=results)

    async def close(self) -> None:
        self.closed += 1


def choose(*candidates: FakeSandbox) -> ChosenSandbox:
    return ChosenSandbox([partial(FakeSandbox.open, candidate) for candidate in candidates], slots=1)


PROGRAM = Program(source="", calls=("f()",))


async def test_the_strongest_is_taken_and_the_weaker_is_not_even_opened():
    strong, weak = FakeSandbox("strong"), FakeSandbox("weak")
    box = choose(strong, weak)

    run = await box.run(PROGRAM, Limits())

    assert (run.results, box.name) == ((Value("strong"),), "strong")
    assert weak.opened == 0


async def test_one_that_cannot_run_is_closed_and_the_next_is_taken():
    strong, weak = FakeSandbox("strong", reason="no engine"), FakeSandbox("weak")
    box = choose(strong, weak)

    await box.check()

    assert (box.name, strong.closed) == ("weak", 1)


@pytest.mark.parametrize("probe", PROBES, ids=lambda probe: probe.name)
async def test_a_backend_on_which_one_probe_escapes_is_refused(probe: object):
    name = getattr(probe, "name", "")
    leaky = FakeSandbox("leaky", broken=name)
    box = choose(leaky)

    with pytest.raises(SandboxError, match=f"leaky fails its self-check: {name}: ok"):
        await box.run(PROGRAM, Limits())

    assert leaky.closed == 1


async def test_when_none_is_fit_the_reasons_of_all_are_told_without_new_attempts():
    first, second = FakeSandbox("a", reason="no engine"), FakeSandbox("b", reason="not installed")
    box = choose(first, second)

    outcomes = await asyncio.gather(*(box.run(PROGRAM, Limits()) for _ in range(50)), return_exceptions=True)

    assert {str(outcome) for outcome in outcomes} == {"no engine; not installed"}
    assert (first.opened, second.opened) == (1, 1)


async def test_what_becomes_fit_is_taken_later(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("sandbox.choosing.FIRST_RETRY_SECONDS", 0.0)
    late = FakeSandbox("late", reason="no engine")
    box = ChosenSandbox([late.open], slots=1)
    with pytest.raises(SandboxError):
        await box.check()

    late.reason = ""

    await box.check()
    assert box.name == "late"


async def test_the_chosen_one_stays_though_it_fails_later():
    strong, weak = FakeSandbox("strong"), FakeSandbox("weak")
    box = choose(strong, weak)
    await box.check()

    strong.reason = "engine stopped"

    with pytest.raises(SandboxError, match="engine stopped"):
        await box.check()
    assert weak.opened == 0


async def test_a_caller_that_leaves_does_not_end_the_choosing():
    strong = FakeSandbox("strong")
    box = choose(strong)
    leaving = asyncio.create_task(box.check())
    await asyncio.sleep(0)
    leaving.cancel()

    await box.check()

    assert (box.name, strong.opened) == ("strong", 1)


async def test_a_closed_sandbox_runs_nothing():
    strong = FakeSandbox("strong")
    box = choose(strong)
    await box.close()

    with pytest.raises(SandboxError, match="closed"):
        await box.run(PROGRAM, Limits())
    assert strong.opened == 0


def test_who_asks_for_a_runtime_gets_no_weaker_backend():
    assert SandboxOptions(runtime="runsc").backends() == (BackendChoice.DOCKER,)
    assert SandboxOptions().backends() == (BackendChoice.DOCKER, BackendChoice.BUBBLEWRAP)


def test_a_runtime_needs_an_engine():
    with pytest.raises(ValueError, match="runsc"):
        SandboxOptions(backend=BackendChoice.BUBBLEWRAP, runtime="runsc")
