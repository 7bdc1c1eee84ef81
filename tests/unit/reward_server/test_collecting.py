"""The collector of cycles, in a process of its own: its settings are the whole process's."""

import subprocess
import sys

SCRIPT = """
import gc, weakref
from reward_server.serving import collecting

class Cycle:
    def __init__(self):
        self.me = self

looked_at = []
collecting.settle()
frozen = gc.get_freeze_count()
gc.callbacks.append(lambda phase, info: looked_at.append(info["generation"]))
kept = [[number] for number in range(50 * collecting.YOUNG)]
gone = weakref.ref(Cycle())
del kept
more = [[number] for number in range(4 * collecting.OLDER * collecting.YOUNG)]
print(frozen > 1_000, len(gc.get_objects()) < len(more) + frozen, looked_at.count(2), gone() is None)
"""


def test_what_a_server_is_made_of_is_left_alone_and_cycles_are_still_found() -> None:
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True)

    assert done.stdout.split() == ["True", "True", "0", "True"]


IDLE = """
import asyncio, gc, weakref
from reward_server.serving import collecting

class Cycle:
    def __init__(self):
        self.me = self

async def main():
    collecting.settle()
    collecting.LOOK_S = 0.01
    old = Cycle()
    gone = weakref.ref(old)
    kept = []
    while gc.get_count()[2] <= collecting.DUE:
        kept.append([])
    del old  # garbage now, among those that survived and are looked at no more
    busy = True
    looking = asyncio.create_task(collecting.collect_in_idleness(lambda: not busy))
    await asyncio.sleep(0.1)
    while_busy = gone() is None
    busy = False
    await asyncio.sleep(0.5)
    print(while_busy, gone() is None)
    looking.cancel()

asyncio.run(main())
"""


def test_old_garbage_is_found_when_nobody_waits() -> None:
    done = subprocess.run([sys.executable, "-c", IDLE], capture_output=True, text=True, check=True)

    assert done.stdout.split() == ["False", "True"]
