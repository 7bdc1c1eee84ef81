"""Programs that try to break each limit: a backend on which one succeeds is not used.

What holds is found out by attacking it, not by asking the engine.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from sandbox.api import Limits, Program, Run, RunStatus, Sandbox, SandboxError, Value

_LIMITS = Limits(cpu_seconds=0.25, wall_seconds=20.0, memory_bytes=256 * 1024 * 1024, result_bytes=64 * 1024)


@dataclass(frozen=True, kw_only=True, slots=True)
class Probe:
    """A program, and how it must end on a fit host."""

    name: str
    source: str
    status: RunStatus = RunStatus.OK
    value: object = None
    limits: Limits = _LIMITS


PROBES = (
    Probe(name="an honest program runs", source="def probe(): return 6 * 7", value=42),
    Probe(
        name="CPU time is limited",
        source="while True: pass",
        status=RunStatus.CPU_LIMIT,
        limits=Limits(cpu_seconds=0.1),
    ),
    Probe(
        name="wall time is limited",
        source="import time\ntime.sleep(60)",
        status=RunStatus.WALL_LIMIT,
        limits=Limits(wall_seconds=0.1),
    ),
    Probe(name="memory is limited", source="x = bytearray(2 ** 30)", status=RunStatus.MEMORY_LIMIT),
    Probe(
        name="results are limited",
        source="def probe(): return 'x' * 100_000",
        status=RunStatus.OUTPUT_LIMIT,
    ),
    Probe(
        name="no process can be started",
        source=("import os\ndef probe():\n    try: os.fork()\n    except PermissionError: return True\n"),
        value=True,
    ),
    Probe(
        name="no socket can be opened",
        source=(
            "import socket\ndef probe():\n    try: socket.socket()\n    except PermissionError: return True\n"
        ),
        value=True,
    ),
    Probe(
        name="no file can be written",
        source=(
            "import os\n"
            "def create(directory):\n"
            "    try: return os.open(directory + '/probe', os.O_CREAT | os.O_WRONLY)\n"
            "    except OSError: return None\n"
            "def probe(): return [path for path, _, _ in os.walk('/') if create(path) is not None]\n"
        ),
        value=[],
        limits=Limits(),
    ),
    Probe(
        name="no other process but the supervisor is seen",
        source=(
            "import os\n"
            "def probe():\n"
            "    return {int(name) for name in os.listdir('/proc') if name.isdigit()} - {os.getpid()}\n"
        ),
        value={1},
    ),
    Probe(
        name="the supervisor is out of reach",
        source="def probe():\n    try: open('/proc/1/mem')\n    except PermissionError: return True\n",
        value=True,
    ),
    Probe(
        name="programs run without privileges",
        source=(
            "import os\n"
            "def probe():\n"
            "    lines = [line.split() for line in open('/proc/self/status')]\n"
            "    caps = [int(l[1], 16) for l in lines if l[0] in ('CapPrm:', 'CapEff:', 'CapAmb:')]\n"
            "    return os.getuid() > 0 and not any(caps) and ['Seccomp:', '2'] in lines\n"
        ),
        value=True,
    ),
)


class Finding(NamedTuple):
    """What came of one probe; `problem` is empty when the limit holds."""

    name: str
    problem: str


async def probe_all(sandbox: Sandbox) -> Sequence[Finding]:
    """Run every probe.

    Raises:
        SandboxError: the sandbox cannot run programs at all.
    """
    return await asyncio.gather(*(_run_probe(sandbox, probe) for probe in PROBES))


async def require_fit(sandbox: Sandbox) -> None:
    """Run every probe.

    Raises:
        SandboxError: a limit does not hold, or programs cannot be run.
    """
    problems = [f"{name}: {problem}" for name, problem in await probe_all(sandbox) if problem]
    if problems:
        raise SandboxError(f"{sandbox.name} fails its self-check: {'; '.join(problems)}")


async def _run_probe(sandbox: Sandbox, probe: Probe) -> Finding:
    calls = ("probe()",) if probe.status in (RunStatus.OK, RunStatus.OUTPUT_LIMIT) else ()
    run = await sandbox.run(Program(source=probe.source, calls=calls), probe.limits)
    holds = run.status is probe.status and (run.status is not RunStatus.OK or _value(run) == probe.value)
    return Finding(probe.name, "" if holds else f"{run.status.value} {run.detail} {run.results}")


def _value(run: Run) -> object:
    result = run.results[0]
    return result.data if isinstance(result, Value) else result
