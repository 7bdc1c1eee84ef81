"""Reads a recording, grades it as the server would, and prints what changed.

The samples of one call are graded together, so that siblings meet as they did. Nothing is
cached between then and now; equal samples are graded once.

Ends with 0; with 1 when a score is different or gone and `--fail-on-change` was given;
with 2 when the recording or the configuration cannot be used.
"""

import asyncio
import json
import sys
import time
from collections.abc import AsyncGenerator, Iterable, Iterator, Sequence
from contextlib import AsyncExitStack, nullcontext
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Annotated, TextIO

import tyro

from reward_server import config, registry
from reward_server.api import Outcome, Sample, Score
from reward_server.cache.memory import ScoreCache
from reward_server.errors import ConfigurationError
from reward_server.recording import journal, parquet
from reward_server.recording.rows import Recorded
from reward_server.rescoring.changes import Rescored, Tally, is_change, table, word
from reward_server.resources import lanes_of, open_resources
from reward_server.scoring.fair import Caller
from reward_server.scoring.flights import Flights
from reward_server.scoring.pace import Turnstile
from reward_server.scoring.scorer import Scorer
from reward_server.scoring.spread import Spread
from reward_server.telemetry import log_defect

# Graded at once; a call that is larger is graded alone. The queues hold more.
_IN_FLIGHT = 1_024
# A call that is not graded in a day will not be.
_CALL_S = 86_400.0
_PROGRESS_EVERY_S = 1.0


@dataclass(frozen=True, kw_only=True, slots=True)
class RescoreOptions:
    """Grades a recorded directory with the current graders, and prints what changed."""

    directory: tyro.conf.Positional[Path]
    """What the server was given as --record, or one Parquet file of it."""
    config: Path | None = None
    """The server's configuration file, for its weights, queues and sandbox."""
    reward: Annotated[tuple[str, ...], tyro.conf.UseAppendAction] = ()
    """Only samples of this reward; may be repeated. Without it all."""
    limit: int | None = None
    """Stop after the call that reaches so many samples."""
    show: int = 5
    """How many of the changed samples are printed."""
    out: Path | None = None
    """File that gets every changed sample as one JSON object a line."""
    fail_on_change: bool = False
    """End with 1 when a score is different or gone."""


def main(arguments: Sequence[str]) -> int:
    """Rescore and return the exit code.

    Raises:
        ConfigurationError: the recording, the output or the configuration cannot be used.
    """
    options = tyro.cli(
        RescoreOptions,
        prog="python -m reward_server rescore",
        description=RescoreOptions.__doc__,
        args=list(arguments),
    )
    settings = config.read(() if options.config is None else ("--config", str(options.config)))
    tally = asyncio.run(_rescore(options, settings))
    sys.stdout.write(table(tally))
    return int(options.fail_on_change and tally.changed > 0)


async def _rescore(options: RescoreOptions, settings: config.ServerConfig) -> Tally:
    files = _files(options.directory)
    calls = _limited(_calls(files, frozenset(options.reward)), options.limit)
    tally = Tally(keep=options.show)
    async with AsyncExitStack() as stack:
        out = stack.enter_context(nullcontext() if options.out is None else _open(options.out))
        scorer = await _scorer(settings, stack)
        progress = _Progress()
        async for rescored in _graded(scorer, calls):
            tally.add(rescored)
            progress.report(tally.samples)
            if out is not None and is_change(rescored.change):
                out.write(json.dumps(_as_json(rescored)) + "\n")
        progress.report(tally.samples, last=True)
    return tally


async def _scorer(settings: config.ServerConfig, stack: AsyncExitStack) -> Scorer:
    factories = registry.with_extras(registry.BUILT_IN, registry.installed_extras())
    resources = await stack.enter_async_context(open_resources(settings, registry.WORKER_TASKS))
    queues = settings.queues
    spread = await stack.enter_async_context(Spread(resources.workers, queues.workers))
    return Scorer(
        registry.build(factories, resources, settings.scoring),
        scoring=settings.scoring,
        lanes=lanes_of(queues),
        cache=ScoreCache(settings.cache_entries),
        flights=await stack.enter_async_context(Flights()),
        on_defect=log_defect,
        spread=spread,
    )


async def _graded(scorer: Scorer, calls: Iterable[list[Recorded]]) -> AsyncGenerator[Rescored]:
    """Yield the samples of all calls in order, several calls in flight."""
    turnstile = Turnstile()
    flying: list[tuple[list[Recorded], asyncio.Task[list[Outcome]]]] = []
    for call in calls:
        while flying and sum(len(each) for each, _ in flying) + len(call) > _IN_FLIGHT:
            async for rescored in _landed(*flying.pop(0)):
                yield rescored
        samples = [each.sample for each in call]
        flying.append((call, asyncio.create_task(_score(scorer, samples, turnstile))))
    for each in flying:
        async for rescored in _landed(*each):
            yield rescored


async def _score(scorer: Scorer, samples: Sequence[Sample], turnstile: Turnstile) -> list[Outcome]:
    with turnstile.pace(Caller()) as pace:
        return await scorer.score(samples, deadline=time.perf_counter() + _CALL_S, pace=pace)


async def _landed(call: list[Recorded], grading: "asyncio.Task[list[Outcome]]") -> AsyncGenerator[Rescored]:
    for recorded, outcome in zip(call, await grading, strict=True):
        yield Rescored(recorded=recorded, now=outcome)


def _files(directory: Path) -> list[Path]:
    if directory.is_file():
        return [directory]
    files = sorted(directory.glob("*" + parquet.SUFFIX))
    if not files:
        raise ConfigurationError(f"{str(directory)!r} holds no recording: no file ends with {parquet.SUFFIX}")
    if waiting := len(list(directory.glob("*" + journal.SUFFIX))):
        print(f"{waiting} segments are no Parquet files yet and are left out", file=sys.stderr)  # noqa: T201  (progress)
    return files


def _calls(files: Iterable[Path], rewards: frozenset[str]) -> Iterator[list[Recorded]]:
    for file in files:
        try:
            for _, rows in groupby(parquet.read(file), key=lambda recorded: recorded.call_id):
                if call := [each for each in rows if not rewards or each.sample.reward in rewards]:
                    yield call
        except (OSError, ValueError) as error:
            raise ConfigurationError(f"{str(file)!r} cannot be read: {error}") from error


def _limited(calls: Iterable[list[Recorded]], limit: int | None) -> Iterator[list[Recorded]]:
    taken = 0
    for call in calls:
        if limit is not None and taken >= limit:
            return
        taken += len(call)
        yield call


def _open(file: Path) -> TextIO:
    try:
        return file.open("w", encoding="utf-8")
    except OSError as error:
        raise ConfigurationError(f"out={str(file)!r} cannot be written: {error.strerror}") from error


def _as_json(rescored: Rescored) -> dict[str, object]:
    recorded, now = rescored.recorded, rescored.now
    return {
        "call_id": recorded.call_id,
        "sample_id": recorded.sample.sample_id,
        "reward": recorded.sample.reward,
        "completion": recorded.sample.completion,
        "then": _outcome_as_json(recorded.outcome),
        "now": _outcome_as_json(now),
    }


def _outcome_as_json(outcome: Outcome) -> dict[str, object]:
    result = outcome.result
    graded = isinstance(result, Score)
    return {
        "word": word(outcome),
        "value": result.value if graded else None,
        "said": result.explanation if graded else result.message,
        "reward_version": outcome.reward_version,
    }


class _Progress:
    """A line on standard error, about once a second."""

    def __init__(self) -> None:
        self._begun = self._reported = time.monotonic()

    def report(self, samples: int, *, last: bool = False) -> None:
        now = time.monotonic()
        if last or now - self._reported > _PROGRESS_EVERY_S:
            self._reported = now
            rate = samples / max(now - self._begun, 1e-9)
            print(f"rescored {samples:,} samples, {rate:,.0f}/s", file=sys.stderr)  # noqa: T201  (progress)
