"""`python -m evals run` grades a policy on held-out questions; `compare` pairs two such evaluations."""

import sys
from collections.abc import Sequence
from typing import Annotated

import tyro
from rich.console import Console

from evals.errors import EvaluationError
from evals.options import Compare, Run
from evals.run import run, run_compare
from reward_client.api import RewardClientError
from tasks.errors import TasksError

Command = Annotated[Run, tyro.conf.subcommand("run")] | Annotated[Compare, tyro.conf.subcommand("compare")]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command.

    Returns 0; 1 when nothing could be graded; 2 with a sentence on stderr; 3 when a gate
    is not reached; 130 when stopped.
    """
    console = Console()
    try:
        command = tyro.cli(Command, args=arguments, prog="python -m evals", description=__doc__)
        return run(command, console) if isinstance(command, Run) else run_compare(command, console)
    except (EvaluationError, RewardClientError, TasksError) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    except KeyboardInterrupt:
        sys.stderr.write("stopped; completions so far are kept, run the same command to go on\n")
        return 130


if __name__ == "__main__":
    raise SystemExit(main())
