"""How much CPU and wall time a program gets. Pure.

CPU time decides: on a busy machine a wall limit fails right answers. Where the CPU time of the
reference solution is known the budget follows from it, so that an endless loop costs little on
a problem that takes a millisecond, and an honest program has room on one that takes seconds:

    r = CPU of the reference      budget = 50 r, but from 0.25 s to 5 s, and never less than 4 r

Where it is not known the default of `sandbox.api.Limits` holds: some hundred times what nearly
all MBPP solutions need. Wall time is a backstop against programs that sleep, far enough off
that programs which share a CPU with many others do not meet it.
"""

import math
from dataclasses import replace
from typing import Final

from reward_server.errors import BadReferenceError
from sandbox.api import Limits

GENEROSITY: Final = 50.0  # a right answer may be slower than the reference
LEAST_GENEROSITY: Final = 4.0  # the same, of references that are slow themselves
LEAST_SECONDS: Final = 0.25
USUAL_MOST_SECONDS: Final = 5.0
MOST_SECONDS: Final = 60.0  # what a reference may ask for at all
WALL_PER_CPU: Final = 4.0


def limits_for(reference_cpu_ms: float, default: Limits) -> Limits:
    """Return the limits of a program whose reference needs that much CPU; 0 is unknown.

    Raises:
        BadReferenceError: no finite time of at least 0, or one too long to be served.
    """
    if not math.isfinite(reference_cpu_ms) or reference_cpu_ms < 0.0:
        raise BadReferenceError(f"reference_cpu_ms: {reference_cpu_ms!r} is no time, give 0 if it is unknown")
    if reference_cpu_ms == 0.0:
        return default
    seconds = reference_cpu_ms / 1e3
    usual = min(max(GENEROSITY * seconds, LEAST_SECONDS), USUAL_MOST_SECONDS)
    budget = max(usual, LEAST_GENEROSITY * seconds)
    if budget > MOST_SECONDS:
        most_ms = 1e3 * MOST_SECONDS / LEAST_GENEROSITY
        raise BadReferenceError(f"reference_cpu_ms: {reference_cpu_ms!r} is more than {most_ms:g}")
    return replace(
        default, cpu_seconds=budget, wall_seconds=max(default.wall_seconds, WALL_PER_CPU * budget + 2.0)
    )
