"""What a caller of the sandbox sees: a program in, plain data out.

    program   untrusted source, and the calls to evaluate after it has been loaded
    run       what came of it: a status, and one result per call
    limits    what the program may use

Verdicts are values, faults are exceptions: a program that crashes is a `Run`; an
engine that is down is a `SandboxError`. Expected values have no place here: they
never enter the sandbox, and nothing in it compares.
"""

from dataclasses import dataclass
from enum import Enum
from typing import Protocol


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """What one program may use. CPU time decides; wall time ends only a program that sleeps."""

    cpu_seconds: float = 2.0
    wall_seconds: float = 5.0
    memory_bytes: int = 512 * 1024 * 1024
    result_bytes: int = 256 * 1024


@dataclass(frozen=True, kw_only=True, slots=True)
class Program:
    """Source to load, then `imports`, then `setup`, then each of `calls` evaluated as an expression.

    All four are Python source. `calls` are evaluated in an order that the program
    cannot predict, each on fresh arguments.
    """

    source: str
    calls: tuple[str, ...]
    imports: tuple[str, ...] = ()
    setup: str = ""


class RunStatus(Enum):
    """How a program ended. Everything but OK is the program's own doing."""

    OK = "ok"  # every call has a result (a value or an exception)
    LOAD_ERROR = "load_error"  # syntax error, or an exception while loading
    CPU_LIMIT = "cpu_limit"
    WALL_LIMIT = "wall_limit"
    MEMORY_LIMIT = "memory_limit"
    OUTPUT_LIMIT = "output_limit"  # results larger than `Limits.result_bytes`
    CRASHED = "crashed"  # died by a signal, or exited without its results
    BAD_RESULT = "bad_result"  # what came out is not in the protocol: forged or broken


@dataclass(frozen=True, slots=True)
class Value:
    """A call returned `data`: plain, freshly decoded built-in values and `Fraction`s only."""

    data: object


@dataclass(frozen=True, slots=True)
class Raised:
    """A call raised. Both fields come from the sandbox: show them, never trust them."""

    type_name: str
    message: str


@dataclass(frozen=True, slots=True)
class Unserializable:
    """A call returned something that is not plain data, of the named type."""

    type_name: str


CallResult = Value | Raised | Unserializable


@dataclass(frozen=True, kw_only=True, slots=True)
class Run:
    """What came of a program.

    `results[i]` belongs to `program.calls[i]`; it is empty unless `status` is OK.
    `detail` is one line for a person (exception of a load error, signal of a crash).
    """

    status: RunStatus
    results: tuple[CallResult, ...] = ()
    detail: str = ""
    cpu_ms: float = 0.0
    wall_ms: float = 0.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Usage:
    """What a sandbox does now and has done since it was opened, for those who watch it.

    `replaced` counts containers whose place was taken by another: lost, worn out or killed.
    """

    busy: int = 0
    programs: int = 0
    replaced: int = 0


class SandboxError(Exception):
    """The sandbox, not the program, is at fault. No verdict can be drawn from it."""


class Sandbox(Protocol):
    """A place to run untrusted programs. `sandbox.opening` opens one."""

    @property
    def name(self) -> str:
        """Which backend this is, for people: e.g. "docker"."""
        ...

    @property
    def slots(self) -> int:
        """How many programs run at once; callers queue the rest."""
        ...

    @property
    def usage(self) -> Usage:
        """What it does and has done; cheap, and waits for nothing."""
        ...

    async def check(self) -> None:
        """Find out whether programs can be run now; cheap, and safe to call at any time.

        Raises:
            SandboxError: they cannot; the message says why and what to do.
        """
        ...

    async def run(self, program: Program, limits: Limits) -> Run:
        """Run one program. Cancelling the call kills it.

        Raises:
            SandboxError: no verdict could be had, after one retry elsewhere.
        """
        ...

    async def close(self) -> None:
        """Kill what runs and remove every container, process and file."""
        ...
