"""`python -m trainer`: train a policy, or go on with an unfinished run.

    python -m trainer --config tiny
    python -m trainer --config gemma3_1b --data-dir DIR

Rewards come from REWARD_ADDRESS (HOST:PORT, several with commas; what protects the channel
is in `reward_client.security`); without it a reward server is started for the run and
stopped with it. Exit status: 0 done, 1 failed with the
reason on the last line, 2 wrong configuration, 130 stopped and resumable.
"""

import contextlib
import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from reward_client.api import Outcome, Sample
from reward_client.client import RewardClient
from reward_client.local import LocalServer
from reward_client.retries import Retry
from reward_client.security import Security
from trainer import huge_pages
from trainer.cluster import ALONE, Cluster
from trainer.config import ConfigurationError, TrainConfig, parse, to_yaml
from trainer.options import ClusterOptions
from trainer.reporting.progress import Progress, QuietConsole
from trainer.run_files.run_directory import RECORD_FILE, RunDirectory, choose
from trainer.run_files.shared import open_run

RUNS = Path("runs")


def main() -> int:
    """Runs the command and returns its exit status."""
    try:
        config = parse(sys.argv[1:])
        joined = _join(config.cluster)
    except ConfigurationError as error:
        return _fail(str(error), status=2)
    with joined:
        status, message = _run(config, joined)
        if message:
            _fail(message, status=status)
        joined.leave(status, message)
    return status


def _join(options: ClusterOptions) -> Cluster:
    if not options.coordinator:
        return ALONE
    from trainer.processes import connect  # noqa: PLC0415

    return connect(options)


def _run(config: TrainConfig, joined: Cluster) -> tuple[int, str]:
    """Returns the exit status, and what to say if it is not 0."""
    try:
        joined.same("configuration", to_yaml(replace(config, cluster=ClusterOptions())))
        path = Path(joined.share(lambda: str(choose(config, RUNS, now=datetime.now().astimezone()))))
    except ConfigurationError as error:
        return 2, str(error)
    # The libraries take seconds to import; a wrong flag should not have to wait for them.
    from trainer.failures import EXPECTED, StopRequestedError  # noqa: PLC0415

    try:
        _train(config, open_run(path, joined, latest=RUNS / "latest"), joined)
    except (StopRequestedError, KeyboardInterrupt):
        return 130, f"stopped{_how_to_go_on(path)}"
    except ConfigurationError as error:
        return 2, str(error)
    except EXPECTED as error:
        return 1, f"{error}{_how_to_go_on(path)}"
    return 0, ""


def _train(config: TrainConfig, run: RunDirectory, joined: Cluster) -> None:
    from trainer import environment  # noqa: PLC0415
    from trainer.reporting import plots, report  # noqa: PLC0415
    from trainer.train import train  # noqa: PLC0415

    environment.prepare(cache=RUNS / ".cache" / "xla")
    if not joined.is_leader:
        with Progress(console=QuietConsole(quiet=True)) as silent:
            train(config, run=run, scorer=NotAsked(), progress=silent, cluster=joined)
        return
    with Progress() as progress:
        progress.note(f"run: {run.path}")
        if joined.count > 1:
            progress.note(f"{joined.count} processes; this one writes, asks for rewards and tells")
        with open_scorer(run, progress) as scorer:
            summary = train(config, run=run, scorer=scorer, progress=progress, cluster=joined)
    plots.write(run.path)
    report.print_summary(summary)
    print(f"wrote {run.path}; ask it something: python -m trainer.generate 'PROMPT'")  # noqa: T201 - the result


class NotAsked:
    """The reward server of a process that does not lead: it receives the leader's outcomes."""

    def score(self, samples: Sequence[Sample], *, timeout_s: float) -> Sequence[Outcome]:
        raise NotImplementedError("the leader asks")


@contextlib.contextmanager
def open_scorer(run: RunDirectory, progress: Progress) -> Iterator[RewardClient]:
    """Connects to the reward server of the environment, or starts one.

    Raises:
        reward_client.api.RewardClientError: it does not start, or a file of its security cannot be read.
    """

    def tell(retry: Retry) -> None:
        progress.note(
            f"waiting for the reward server, attempt {retry.attempt}: {retry.reason} "
            f"(giving up in {retry.left_s:.0f} s)"
        )

    with contextlib.ExitStack() as stack:
        address = os.environ.get("REWARD_ADDRESS", "")
        security = Security.from_environment(os.environ) if address else Security()
        if not address:
            log = run.path / "reward_server.log"
            progress.note(f"starting a reward server (REWARD_ADDRESS is not set); its log is {log}")
            address = stack.enter_context(LocalServer(log)).address
        yield stack.enter_context(RewardClient(address, on_retry=tell, security=security))


def _how_to_go_on(path: Path) -> str:
    """Says how to go on."""
    if not (path / RECORD_FILE).is_file():
        return "\nnothing was trained yet; give the same command again to start"
    return f"\nthe same command goes on from the last checkpoint in {path}"


def _fail(message: str, *, status: int) -> int:
    sys.stderr.write(f"{message}\n")
    return status


if __name__ == "__main__":
    huge_pages.ensure()
    sys.exit(main())
