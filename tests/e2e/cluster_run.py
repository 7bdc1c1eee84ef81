"""`python -m trainer`, but rewards are of the completion alone, so that no server is needed."""

import contextlib
import os
import sys
from collections.abc import Iterator
from unittest import mock

os.environ.setdefault("JAX_PLATFORMS", "cpu")

from tests.unit.trainer.loops import LengthScorer
from trainer import __main__ as command


@contextlib.contextmanager
def open_scorer(*_: object) -> Iterator[LengthScorer]:
    """Stands for the connection to a reward server."""
    yield LengthScorer()


if __name__ == "__main__":
    with mock.patch.object(command, "open_scorer", open_scorer):
        sys.exit(command.main())
