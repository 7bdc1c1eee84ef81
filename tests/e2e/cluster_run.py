"""`python -m trainer` without its plots; rewards are of the completion alone, so that no server is needed."""

import contextlib
import os
import sys
from collections.abc import Iterator
from unittest import mock

os.environ.setdefault("JAX_PLATFORMS", "cpu")

from tests.unit.trainer.loops import LengthScorer
from trainer import __main__ as command
from trainer import processes
from trainer.reporting import plots


@contextlib.contextmanager
def open_scorer(*_: object) -> Iterator[LengthScorer]:
    """Stands for the connection to a reward server."""
    yield LengthScorer()


if __name__ == "__main__":
    processes.GRACE_S = 3.0
    with mock.patch.object(command, "open_scorer", open_scorer), mock.patch.object(plots, "write"):
        sys.exit(command.main())
