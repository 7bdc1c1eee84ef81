"""What is watched, and its state as plain values.

The parts live on the event loop, and scrapes come from other threads: so `read` is called on
the loop, and what it returns may be read anywhere.
"""

import os
import resource
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from reward_server.api import CostClass
from reward_server.cache.memory import ScoreCache
from reward_server.registry import Registry
from reward_server.sandboxes.guarded import GuardedSandbox
from reward_server.scoring.flights import Flights
from reward_server.scoring.lanes import Lane
from reward_server.workers.pool import Usage, WorkerPool
from sandbox import api as sandbox_api
from sandbox.api import Sandbox

_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True, kw_only=True, slots=True)
class Parts:
    """The parts of a server. `stopping` tells whether it drains."""

    rewards: Registry
    lanes: Mapping[CostClass, Lane]
    cache: ScoreCache
    flights: Flights
    workers: WorkerPool | None
    sandbox: Sandbox | None
    stopping: Callable[[], bool]


@dataclass(frozen=True, kw_only=True, slots=True)
class LaneState:
    """One queue: how many samples wait for how many slots."""

    waiting: int
    slots: int
    busy: int


@dataclass(frozen=True, kw_only=True, slots=True)
class SandboxState:
    """The sandbox. `refusal` is why it may not grade; `examined_at` is Unix time, None before the first."""

    backend: str
    slots: int
    usage: sandbox_api.Usage
    refusal: str | None
    examined_at: float | None


@dataclass(frozen=True, kw_only=True, slots=True)
class CacheState:
    """Look-ups since the start, and what is kept now."""

    entries: int
    hits: int
    stored_hits: int
    misses: int


@dataclass(frozen=True, kw_only=True, slots=True)
class State:
    """Everything at one moment."""

    stopping: bool
    lanes: Mapping[str, LaneState]
    cache: CacheState
    flights: int
    shared: int
    workers: Usage | None
    sandbox: SandboxState | None


def read(parts: Parts) -> State:
    """Read the state of all parts; call it on their event loop."""
    cache, sandbox = parts.cache, parts.sandbox
    return State(
        stopping=parts.stopping(),
        lanes={
            lane.name: LaneState(waiting=lane.waiting, slots=lane.slots, busy=lane.busy)
            for lane in parts.lanes.values()
        },
        cache=CacheState(
            entries=len(cache), hits=cache.hits, stored_hits=cache.stored_hits, misses=cache.misses
        ),
        flights=len(parts.flights),
        shared=parts.flights.shared,
        workers=None if parts.workers is None else parts.workers.usage,
        sandbox=None if sandbox is None else _sandbox(sandbox),
    )


def _sandbox(sandbox: Sandbox) -> SandboxState:
    guard = sandbox if isinstance(sandbox, GuardedSandbox) else None
    return SandboxState(
        backend=sandbox.name,
        slots=sandbox.slots,
        usage=sandbox.usage,
        refusal=None if guard is None else guard.refusal,
        examined_at=None if guard is None else guard.examined_at,
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class Process:
    """What this process uses; its children count for themselves."""

    cpu_seconds: float
    resident_bytes: int
    open_files: int


def this_process() -> Process:
    """Ask the kernel; from any thread."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    resident_pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return Process(
        cpu_seconds=used.ru_utime + used.ru_stime,
        resident_bytes=resident_pages * _PAGE_BYTES,
        open_files=len(os.listdir("/proc/self/fd")),  # noqa: PTH208  (names are enough: no Path each)
    )
