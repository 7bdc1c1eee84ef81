"""When Python's collector of reference cycles runs: it stops the event loop for as long as it looks.

What a sample leaves behind is freed by reference counts alone. The collector is for the few
cycles, such as errors with their tracebacks; left to itself it looks at every object of the
process each time, which takes tens of milliseconds, and a batch of thousands of samples makes
it look again and again. So it looks at new objects often and briefly, and at all of them when
nobody waits.
"""

import asyncio
import gc
from collections.abc import Callable

# New objects until the young ones are looked at, which takes a tenth of a millisecond or two.
YOUNG = 2_000
# So many times before those that survived are looked at as well, as briefly: they are as many.
OLDER = 1
# Never by itself before those that survived twice are: a large cache takes a second.
OLDEST = 1 << 30

# How often a moment is looked for in which nobody would notice.
LOOK_S = 1.0
# Looks at survivors, each of some thousand objects, that make all of them worth a look, and overdue.
DUE, OVERDUE = 500, 50_000


def settle() -> None:
    """Leave what is there now out of every collection to come; called once, when the server is ready."""
    gc.freeze()
    gc.set_threshold(YOUNG, OLDER, OLDEST)


async def collect_in_idleness(idle: Callable[[], bool]) -> None:
    """Look at all objects now and then, while `idle()` says that nobody waits, or when it is overdue."""
    while True:
        await asyncio.sleep(LOOK_S)
        survivals = gc.get_count()[2]
        if survivals >= OVERDUE or (survivals >= DUE and idle()):
            gc.collect()
