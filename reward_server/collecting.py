"""When Python's collector of reference cycles runs: it stops the event loop for as long as it looks.

What a sample leaves behind is freed by reference counts alone. The collector is for the few
cycles, such as errors with their tracebacks; left to itself it looks at every object of the
process each time, which takes tens of milliseconds, and a batch of thousands of samples makes
it look again and again.
"""

import gc

# New objects until the young ones are looked at, which takes about a millisecond.
YOUNG = 10_000
# So many times before those that survived are looked at as well, and those before the oldest.
OLDER, OLDEST = 20, 50


def settle() -> None:
    """Leave what is there now out of every collection to come; called once, when the server is ready."""
    gc.freeze()
    gc.set_threshold(YOUNG, OLDER, OLDEST)
