"""`python -m evals run` grades a policy on a held-out split; `compare` pairs two such evaluations."""

import os
import sys
import time
from collections.abc import Generator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Annotated, Literal

import tyro
from rich.console import Console

from evals.compare import compare
from evals.completions import Answered, read_completions, write_completions
from evals.errors import CheckpointError, EvaluationError
from evals.grade import Graded, grade
from evals.results import ALL, reward_versions, summarise
from evals.rows import source_of
from evals.store import COMPLETIONS_FILE, Results, read_graded, read_results, write_results
from evals.table import comparison_table, results_table
from reward_client.api import RewardClientError, RewardUnavailableError
from reward_client.client import RewardClient
from reward_client.local import LocalServer
from tasks.api import Example, Split
from tasks.errors import TasksError
from tasks.sources import load

_CONNECT_S = 30.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Run:
    """Grade a policy on a held-out split, with the rewards it was trained on.

    The server is the one at REWARD_ADDRESS (HOST:PORT, several by comma), or one that is
    started and stopped here.
    """

    checkpoint: Path = Path("runs/latest")
    """Directory of a training run."""
    base: bool = False
    """Evaluate the run's base model, without its adapters."""
    completions: Path | None = None
    """Grade these completions instead: JSON lines with `example_id` and `completion`. Needs no JAX."""
    split: Literal["test", "validation", "train"] = "test"
    """Split of the datasets to ask."""
    data_dir: Path | None = None
    """Local datasets under the hub's column names; unset: the data that the run was trained on."""
    limit: int = 0
    """Ask at most this many examples of each dataset, the first ones; 0 asks all."""
    samples: int = 1
    """Completions of each prompt."""
    temperature: float = 0.0
    """Sampling temperature; 0 is greedy."""
    seed: int = 0
    """Seed of sampling."""
    output: Path | None = None
    """Directory of the results; unset: `evals/<split>` beside the checkpoint or the completions."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Compare:
    """Compare two evaluations prompt by prompt."""

    before: tyro.conf.Positional[Path]
    """Directory of the earlier results."""
    after: tyro.conf.Positional[Path]
    """Directory of the later results."""
    seed: int = 0
    """Seed of the test's random signs; used above 16 changed prompts."""


Command = Annotated[Run, tyro.conf.subcommand("run")] | Annotated[Compare, tyro.conf.subcommand("compare")]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; return 0, 1 when nothing could be graded, 2 with a sentence on stderr, 130 stopped."""
    command = tyro.cli(Command, args=arguments, prog="python -m evals", description=__doc__)
    console = Console()
    try:
        return run(command, console) if isinstance(command, Run) else run_compare(command, console)
    except (EvaluationError, RewardClientError, TasksError) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    except KeyboardInterrupt:
        return 130


def run(options: Run, console: Console) -> int:
    """Answer, grade, write the results and print their table."""
    _check(options)
    began = time.monotonic()
    examples = _examples(options, console)
    _require_server()
    answered = _answer(options, examples, console)
    if not answered.examples:
        raise EvaluationError(f"nothing to evaluate: {dict(answered.left_out)}")
    output = options.output or _default_output(options)
    output.mkdir(parents=True, exist_ok=True)
    write_completions(output / COMPLETIONS_FILE, answered)
    answered_at = time.monotonic()
    with _client(output) as client:
        graded = grade(client, answered.examples, answered.completions)
    seconds = {
        "answering": round(answered_at - began, 2),
        "grading": round(time.monotonic() - answered_at, 2),
    }
    results = _results(options, answered, graded, seconds)
    write_results(output, results, graded)
    console.print(results_table(results))
    console.print(f"results in {output}", markup=False, highlight=False, soft_wrap=True)
    return 0 if results.domains[ALL].reward is not None else 1


def run_compare(options: Compare, console: Console) -> int:
    """Pair two evaluations and print their table."""
    before, after = read_results(options.before), read_results(options.after)
    compared = compare(read_graded(options.before), read_graded(options.after), seed=options.seed)
    if not compared:
        raise EvaluationError(f"{options.before} and {options.after} have no graded prompt in common")
    console.print(comparison_table(compared, before=before, after=after))
    return 0


def _check(options: Run) -> None:
    rules = (
        (options.samples >= 1, f"samples: need at least 1, got {options.samples}"),
        (options.limit >= 0, f"limit: need 0 (all) or more, got {options.limit}"),
        (options.temperature >= 0, f"temperature: need 0 (greedy) or more, got {options.temperature}"),
        (
            options.samples == 1 or options.temperature > 0,
            "samples: greedy decoding gives the same completion every time; set a temperature",
        ),
        (
            options.completions is None or options.limit == 0,
            "limit: chooses what is asked, but the file of completions says what was asked",
        ),
    )
    for holds, message in rules:
        if not holds:
            raise EvaluationError(message)


def _examples(options: Run, console: Console) -> list[Example]:
    source = source_of(None if options.completions else options.checkpoint, options.data_dir)
    loaded = load(source, splits=(Split(options.split),))
    examples = loaded.examples
    if loaded.skipped:
        console.print(f"not in this data: {', '.join(loaded.skipped)}", soft_wrap=True, highlight=False)
    if options.limit == 0:
        return list(examples)
    by_dataset = groupby(examples, key=lambda example: example.dataset)
    return [example for _, rows in by_dataset for example in list(rows)[: options.limit]]


def _default_output(options: Run) -> Path:
    beside = options.completions.parent if options.completions is not None else options.checkpoint
    return beside / "evals" / (f"{options.split}-base" if options.base else options.split)


def _answer(options: Run, examples: Sequence[Example], console: Console) -> Answered:
    if options.completions is not None:
        return read_completions(options.completions, examples)
    if not options.checkpoint.is_dir():  # said before the seconds that JAX takes to import
        raise CheckpointError(f"no run at {str(options.checkpoint)!r}: pass the directory of a training run")
    try:
        from evals.checkpoint import answer  # noqa: PLC0415 - imports JAX, which grading a file does not need
    except ImportError as error:
        raise CheckpointError(
            f"sampling from a checkpoint needs JAX ({error}): install assay-rl[evals], or pass --completions"
        ) from error
    with console.status(f"loading {options.checkpoint}") as status:
        return answer(
            options.checkpoint,
            examples,
            samples=options.samples,
            temperature=options.temperature,
            seed=options.seed,
            base=options.base,
            on_answered=lambda done, total: status.update(f"{done:,} of {total:,} completions"),
        )


def _require_server() -> None:
    """Find out now that no server answers, and not when everything is sampled."""
    if address := os.environ.get("REWARD_ADDRESS"):
        try:
            with RewardClient(address) as client:
                client.wait_ready(_CONNECT_S)
        except RewardUnavailableError as error:
            raise EvaluationError(
                f"no reward server answers at REWARD_ADDRESS={address!r}: {error}"
            ) from error


@contextmanager
def _client(output: Path) -> Generator[RewardClient]:
    with ExitStack() as stack:
        address = os.environ.get("REWARD_ADDRESS")
        if not address:
            address = stack.enter_context(LocalServer(output / "reward_server.log")).address
        yield stack.enter_context(RewardClient(address))


def _results(
    options: Run, answered: Answered, graded: Sequence[Graded], seconds: dict[str, float]
) -> Results:
    return Results(
        source=answered.source,
        split=options.split,
        prompt_hash=answered.prompt_hash,
        sampling=answered.sampling,
        reward_versions=reward_versions(graded),
        left_out=answered.left_out,
        truncated=answered.truncated,
        seconds=seconds,
        domains=summarise(graded),
    )


if __name__ == "__main__":
    raise SystemExit(main())
