"""`run` grades a policy on held-out questions, `compare` pairs two evaluations, `serve` lets others ask."""

import sys
from collections.abc import Sequence
from typing import Annotated

import tyro
from rich.console import Console

from evals.errors import CheckpointError, EvaluationError
from evals.options import Compare, Explore, Report, Run, Serve
from evals.run import run, run_compare
from reward_client.api import RewardClientError
from tasks.errors import TasksError

Command = (
    Annotated[Run, tyro.conf.subcommand("run")]
    | Annotated[Compare, tyro.conf.subcommand("compare")]
    | Annotated[Report, tyro.conf.subcommand("report")]
    | Annotated[Explore, tyro.conf.subcommand("explore")]
    | Annotated[Serve, tyro.conf.subcommand("serve")]
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command.

    Returns 0; 1 when nothing could be graded; 2 with a sentence on stderr; 3 when a gate
    is not reached; 130 when stopped.
    """
    console = Console()
    try:
        command = tyro.cli(Command, args=arguments, prog="python -m evals", description=__doc__)
        match command:
            case Run():
                return run(command, console)
            case Compare():
                return run_compare(command, console)
            case Report():
                return _report(command)
            case Explore():
                return _explore(command)
            case Serve():
                return _serve(command)
    except (EvaluationError, RewardClientError, TasksError) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    except KeyboardInterrupt:
        sys.stderr.write("stopped; completions so far are kept, run the same command to go on\n")
        return 130


def _report(options: Report) -> int:
    from evals.report.build import REPORT_FILE, write_report  # noqa: PLC0415 - imports plotly, needed here alone

    path = options.output or options.results[-1] / REPORT_FILE
    write_report(options.results, path, seed=options.seed)
    sys.stdout.write(f"{path}\n")
    return 0


def _explore(options: Explore) -> int:
    from evals.explore.serve import explore  # noqa: PLC0415 - imports DuckDB, needed here alone

    explore(options)
    return 0


def _serve(options: Serve) -> int:
    if not options.checkpoint.is_dir():  # said before the seconds that JAX takes to import
        raise CheckpointError(f"no run at {str(options.checkpoint)!r}: pass the directory of a training run")
    from evals.serving.command import serve  # noqa: PLC0415 - imports JAX, needed here alone

    serve(options)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
