"""A whole run that kills itself, as `kill -9` would, just before it writes a certain file; again and again.

    python tests/e2e/killed_run.py RUN_DIR WRITE...

Each WRITE is a regular expression that is searched in `open PATH`, `os.mkdir PATH` or
`os.rename PATH -> PATH`, with paths relative to RUN_DIR; with an empty one the run goes to
its end. Each has a process of its own, forked from this one once all is imported and before
JAX has a backend. What they end with is printed as a list in JSON, up to the first that ends
otherwise than it should. Rewards are of the completion alone, so that no server is needed.
"""

import json
import multiprocessing
import os
import re
import signal
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

os.environ.setdefault("JAX_PLATFORMS", "cpu")

from tests.unit.trainer.loops import LengthScorer, run
from trainer.config import TrainConfig, parse
from trainer.environment import prepare

_WRITING = os.O_WRONLY | os.O_RDWR


def config() -> TrainConfig:
    """Returns the smallest run that writes every kind of file."""
    tiny = parse(["--config", "tiny", "--steps", "6", "--checkpoint-every", "2", "--evals.every", "2"])
    return replace(
        tiny,
        model=replace(tiny.model, layers=1, width=32, hidden=32, head_dim=8, max_new_tokens=16),
        warm_start=replace(tiny.warm_start, steps=101, batch=2),
        grpo=replace(tiny.grpo, prompts=4, group_size=2),
        evals=replace(tiny.evals, prompts_per_domain=1, samples_per_prompt=1),
    )


def kill_before(write: str, directory: Path) -> None:
    """Ends this process at once, before the first write that `write` is found in."""
    pattern, root = re.compile(write), f"{directory.absolute()}/"

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open" and isinstance(arguments[2], int) and arguments[2] & _WRITING:
            told = f"open {arguments[0]}"
        elif event == "os.mkdir":
            told = f"os.mkdir {arguments[0]}"
        elif event == "os.rename":
            told = f"os.rename {arguments[0]} -> {arguments[1]}"
        else:
            return
        if root in told and pattern.search(told.replace(root, "")):
            os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(hook)


def train(directory: Path, write: str) -> None:
    """Trains, or goes on, until the end or the write."""
    prepare(cache=directory.parent / "xla")
    if write:
        kill_before(write, directory)
    run(config(), directory, LengthScorer())


def main(directory: Path, *writes: str) -> None:
    """Runs one process after the other, up to the first that ends otherwise than it should."""
    statuses: list[int] = []
    for write in writes:
        process = multiprocessing.get_context("fork").Process(target=train, args=(directory, write))
        process.start()
        process.join()
        statuses.append(process.exitcode or 0)
        if statuses[-1] != (-signal.SIGKILL if write else 0):
            break
    print(json.dumps(statuses))


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:])
