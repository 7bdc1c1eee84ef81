"""Tells a person whether a host is fit to run untrusted programs, limit by limit.

Each limit is checked by a program that tries to break it, not by asking the engine.
"""

from collections.abc import Callable
from dataclasses import dataclass

from sandbox.api import Limits, Program, Run, RunStatus, Sandbox, SandboxError, Value
from sandbox.build import image_tag
from sandbox.docker import Engine
from sandbox.opening import SandboxOptions, open_sandbox
from sandbox.owner import Owner

Say = Callable[[str], None]

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
    Probe(name="CPU time is limited", source="while True: pass", status=RunStatus.CPU_LIMIT),
    Probe(
        name="wall time is limited",
        source="import time\ntime.sleep(60)",
        status=RunStatus.WALL_LIMIT,
        limits=Limits(wall_seconds=1.0),
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
            "def probe():\n"
            "    writable = [path for path, _, _ in os.walk('/') if os.access(path, os.W_OK)]\n"
            "    return [path for path in writable if not path.startswith('/proc/')]\n"
        ),
        value=["/dev/mqueue"],  # RLIMIT_MSGQUEUE is 0, so nothing can be made in it
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


async def check_host(options: SandboxOptions, say: Say) -> bool:
    """Check engine, image and every limit, saying one line for each; True when all hold."""
    try:
        fit = _check_engine(Engine(options.docker_host, Owner.this_process()), say)
    except SandboxError as error:
        say(f"NO   {error}")
        return False
    sandbox = await open_sandbox(options)
    try:
        await sandbox.check()
        held = [await _check_probe(sandbox, probe, say) for probe in PROBES]
    except SandboxError as error:
        say(f"NO   {error}")
        return False
    finally:
        await sandbox.close()
    return fit and all(held)


def _check_engine(engine: Engine, say: Say) -> bool:
    facts = engine.facts()
    tag = image_tag()
    lines = [
        (facts.os_type == "linux", f"Docker Engine {facts.version} with {facts.os_type} containers"),
        *((name in facts.limits, f"the engine can limit {name}") for name in ("memory", "swap", "pids")),
        (not facts.remaps_users, "the engine does not remap users"),
        (engine.has_image(tag), f"image {tag} is there (else: python -m sandbox build)"),
    ]
    for holds, text in lines:
        say(f"{'ok  ' if holds else 'NO  '} {text}")
    return all(holds for holds, _ in lines)


async def _check_probe(sandbox: Sandbox, probe: Probe, say: Say) -> bool:
    calls = ("probe()",) if probe.status in (RunStatus.OK, RunStatus.OUTPUT_LIMIT) else ()
    run = await sandbox.run(Program(source=probe.source, calls=calls), probe.limits)
    holds = run.status is probe.status and (run.status is not RunStatus.OK or _value(run) == probe.value)
    say(
        f"{'ok  ' if holds else 'NO  '} {probe.name}"
        + ("" if holds else f": {run.status.value} {run.detail} {run.results}")
    )
    return holds


def _value(run: Run) -> object:
    result = run.results[0]
    return result.data if isinstance(result, Value) else result
