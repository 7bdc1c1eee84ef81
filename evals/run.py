"""The course of an evaluation: questions, answers, grades, files, table."""

import os
import random
import time
from collections.abc import Collection, Generator, Sequence
from contextlib import ExitStack, contextmanager
from itertools import groupby
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from evals.asking.asker import ask
from evals.asking.completions import Answered, Sampling, read_completions, write_completions
from evals.asking.endpoint import EndpointModel
from evals.asking.generations import Generations
from evals.asking.models import Model
from evals.comparing.compare import Metric, compare, flips
from evals.comparing.headline import of_comparison
from evals.comparing.pairing import pair
from evals.errors import CheckpointError, EvaluationError
from evals.gates import check_domains, judge, read_gates, write_junit
from evals.grade import Graded, grade
from evals.options import Compare, Run
from evals.places import check_file, make_directory
from evals.questions.rows import source_of
from evals.questions.suites import load_suite
from evals.results import ALL, first_failures, reward_versions, summarise
from evals.store import (
    COMPLETIONS_FILE,
    Results,
    read_graded,
    read_results,
    write_comparison,
    write_results,
)
from evals.table import comparison_table, flips_table, results_table
from reward_client.api import Priority, RewardUnavailableError
from reward_client.client import RewardClient
from reward_client.local import LocalServer
from reward_client.security import Security
from tasks.api import Example, Split
from tasks.sources import load

CONNECT_S = 30.0
STATUS_GATE = 3


def run(options: Run, console: Console) -> int:
    """Answer, grade, write the results and print their table; 1 when nothing could be graded."""
    gates = read_gates(options.fail_under)
    began = time.monotonic()
    suites = [load_suite(option) for option in options.suite]
    excluded = {name: why for suite in suites for name, why in suite.excluded.items()}
    for example_id, why in excluded.items():
        console.print(f"left out: {example_id}: {why}", markup=False, highlight=False, soft_wrap=True)
    mix = [example for suite in suites for example in suite.examples] if suites else _mix(options, console)
    examples = limited(options, mix)
    check_domains(gates, [*dict.fromkeys(example.domain.value for example in examples), ALL])
    _require_server()
    _require_run(options)
    output = make_directory("output", options.output or _default_output(options))
    if options.junit is not None:
        check_file("junit", options.junit)
    answered = _answer(options, examples, excluded, console)
    if not answered.examples:
        raise EvaluationError(f"nothing to evaluate: {dict(answered.left_out)}")
    write_completions(output / COMPLETIONS_FILE, answered)
    answered_at = time.monotonic()
    with _client(output) as client, console.status("grading"):
        graded = grade(client, answered.examples, answered.completions)
    seconds = {
        "answering": round(answered_at - began, 2),
        "grading": round(time.monotonic() - answered_at, 2),
    }
    results = _results(options, answered, graded, seconds)
    write_results(output, results, graded)
    console.print(results_table(results))
    for kind, failed in first_failures(graded).items():
        console.print(f"{kind}, e.g. {failed}", markup=False, highlight=False, soft_wrap=True)
    console.print(f"results in {output}", markup=False, highlight=False, soft_wrap=True)
    findings = judge(results, gates)
    if options.junit is not None:
        write_junit(options.junit, results, findings)
    if results.domains[ALL].reward is None:
        return 1
    missed = [finding.why for finding in findings if finding.why is not None]
    for why in missed:
        console.print(f"below the threshold: {why}", markup=False, highlight=False, soft_wrap=True)
    return STATUS_GATE if missed else 0


def run_compare(options: Compare, console: Console) -> int:
    """Pair two evaluations, write what changed and print the table."""
    before, after = read_results(options.before), read_results(options.after)
    graded_before, graded_after = read_graded(options.before), read_graded(options.after)
    compared = {
        metric: compare(graded_before, graded_after, metric=metric, seed=options.seed) for metric in Metric
    }
    rows = compared[options.metric]
    left_out = pair(graded_before, graded_after).left_out
    if not rows:
        raise EvaluationError(
            f"{options.before} and {options.after} have no graded prompt in common "
            f"({dict(left_out)}): compare evaluations of the same questions"
        )
    changed = flips(graded_before, graded_after, metric=options.metric)
    output = make_directory("output", options.output or options.after / "compare")
    write_comparison(output, compared, changed, left_out)
    console.print(
        comparison_table(rows, metric=options.metric, before=before, after=after, left_out=left_out)
    )
    console.print(of_comparison(rows[ALL], metric=options.metric), markup=False, highlight=False)
    if options.flips and changed:
        console.print(flips_table(changed, at_most=options.flips))
    console.print(f"all of it in {output}", markup=False, highlight=False, soft_wrap=True)
    fell = any(row.verdict == "worse" for row in rows.values())
    return STATUS_GATE if options.fail_on_fall and fell else 0


def limited(options: Run, examples: list[Example]) -> list[Example]:
    """Take as many questions of each dataset as `options` says."""
    if options.limit == 0:
        return examples
    kept: list[Example] = []
    for _, group in groupby(examples, key=lambda example: example.dataset):
        rows = list(group)
        if options.subset_seed is not None and len(rows) > options.limit:
            chosen = random.Random(options.subset_seed).sample(range(len(rows)), options.limit)  # noqa: S311 - not a secret
            rows = [rows[index] for index in sorted(chosen)]
        kept += rows[: options.limit]
    return kept


def _mix(options: Run, console: Console) -> list[Example]:
    from_run = options.checkpoint if options.completions is None and options.endpoint is None else None
    loaded = load(source_of(from_run, options.data_dir), splits=(Split(options.split),))
    if loaded.skipped:
        console.print(f"not in this data: {', '.join(loaded.skipped)}", soft_wrap=True, highlight=False)
    return list(loaded.examples)


def _default_output(options: Run) -> Path:
    what = "-".join(suite.partition("=")[0] for suite in options.suite) or options.split
    if options.endpoint is not None:
        safe = "".join(letter if letter.isalnum() or letter in "-._" else "-" for letter in options.model)
        return Path("runs/evals") / safe / what
    beside = options.completions.parent if options.completions is not None else options.checkpoint
    return beside / "evals" / (f"{what}-base" if options.base else what)


def _answer(
    options: Run, examples: Sequence[Example], excluded: Collection[str], console: Console
) -> Answered:
    if options.completions is not None:
        return read_completions(options.completions, examples, excluded=excluded)
    model = _model(options, console)
    sampling = Sampling(
        samples=options.samples,
        temperature=options.temperature,
        seed=options.seed,
        max_new_tokens=model.max_new_tokens,
    )
    columns = (TextColumn("answering"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    make_directory("generations", options.generations)
    with Generations(options.generations, model) as known, Progress(*columns, console=console) as progress:
        bar = progress.add_task("answering")
        return ask(
            model,
            examples,
            sampling=sampling,
            known=known,
            on_progress=lambda done, total: progress.update(bar, completed=done, total=total),
        )


def _model(options: Run, console: Console) -> Model:
    if options.endpoint is not None:
        return EndpointModel(
            options.endpoint,
            options.model,
            max_new_tokens=options.max_new_tokens,
            concurrency=options.concurrency,
            system=options.system,
        )
    try:
        from evals.asking.checkpoint import CheckpointModel  # noqa: PLC0415 - imports JAX, needed here alone
    except ImportError as error:
        raise CheckpointError(
            f"sampling from a checkpoint needs JAX ({error}): install assay-rl[evals], or pass --completions"
        ) from error
    with console.status(f"loading {options.checkpoint}"):
        return CheckpointModel.open(options.checkpoint, base=options.base)


def _require_run(options: Run) -> None:
    """Find out now that there is no run, before JAX is imported and results get a directory."""
    asks_checkpoint = options.endpoint is None and options.completions is None
    if asks_checkpoint and not options.checkpoint.is_dir():
        raise CheckpointError(f"no run at {str(options.checkpoint)!r}: pass the directory of a training run")


def _require_server() -> None:
    """Find out now that no server answers, and not when everything is sampled."""
    if address := os.environ.get("REWARD_ADDRESS"):
        try:
            with _connect(address, Security.from_environment(os.environ)) as client:
                client.wait_ready(CONNECT_S)
        except RewardUnavailableError as error:
            raise EvaluationError(
                f"no reward server answers at REWARD_ADDRESS={address!r}: {error}"
            ) from error


@contextmanager
def _client(output: Path) -> Generator[RewardClient]:
    with ExitStack() as stack:
        if address := os.environ.get("REWARD_ADDRESS"):
            yield stack.enter_context(_connect(address, Security.from_environment(os.environ)))
        else:
            server = stack.enter_context(LocalServer(output / "reward_server.log"))
            yield stack.enter_context(_connect(server.address, Security()))


def _connect(address: str, security: Security) -> RewardClient:
    return RewardClient(address, priority=Priority.EVALUATION, security=security)


def _results(
    options: Run, answered: Answered, graded: Sequence[Graded], seconds: dict[str, float]
) -> Results:
    return Results(
        source=answered.source,
        split=" ".join(options.suite) or options.split,
        prompt_hash=answered.prompt_hash,
        sampling=answered.sampling,
        reward_versions=reward_versions(graded),
        left_out=answered.left_out,
        truncated=answered.truncated,
        seconds=seconds,
        domains=summarise(graded),
    )
