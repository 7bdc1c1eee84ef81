"""A Docker Engine of the tests' own, where this host can have it."""

from collections.abc import Iterator
from contextlib import contextmanager

from bench import private_engine as engines
from bench.private_engine import PrivateEngine
from tests.conftest import missing


@contextmanager
def private_engine() -> Iterator[PrivateEngine]:
    """Start one that holds the sandbox image, or skip."""
    if reason := engines.why_not():
        missing(reason)
    with engines.private_engine() as engine:
        yield engine
