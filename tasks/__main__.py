"""The commands of this package.

python -m tasks check          grades reference answers
python -m tasks mix            counts what a mix would hold
python -m tasks hidden-calls   prepares held-out tests of MBPP
"""

import json
import os
import sys
import tempfile
from collections.abc import Collection, Generator
from contextlib import contextmanager
from itertools import product
from pathlib import Path

import tyro

from reward_client.api import RewardClientError
from reward_client.client import RewardClient
from reward_client.local import LocalServer
from reward_client.security import Security
from tasks.api import Split
from tasks.check import check, table
from tasks.datasets import DATASETS, DEFAULT_DATASETS
from tasks.errors import SplitAbsentError, TasksError
from tasks.held_out import with_calls
from tasks.mixing import Mixture
from tasks.sources import Directory, Loaded, embedded, load, read_jsonl

# How long a server may take to answer at all, before anything is sent to it.
_READY_S = 15.0


def check_command(
    *, data_dir: Path | None = None, datasets: tuple[str, ...] = tuple(DATASETS), address: str | None = None
) -> int:
    """Grade every row's reference answer through a live reward server; exit 1 unless all earn full marks.

    Args:
        data_dir: directory of <dataset>/<split>.jsonl or .parquet; the embedded samples without it.
        datasets: which datasets to check.
        address: HOST:PORT of a running server; REWARD_ADDRESS, or else one is started and stopped.
    """
    loaded = _load(data_dir, datasets, *Split)
    with _server(address) as (where, security), RewardClient(where, security=security) as client:
        client.wait_ready(_READY_S)
        checks = check(client, loaded.examples)
    _say(table(checks))
    return int(any(c.findings for c in checks))


def mix_command(
    *, data_dir: Path | None = None, total: int = 30_000, alpha: float = 0.5, seed: int = 0
) -> int:
    """Print how many training rows each domain gives to a mix.

    Args:
        data_dir: directory of <dataset>/<split>.jsonl or .parquet; the embedded samples without it.
        total: rows in the mix.
        alpha: exponent in p ~ n^alpha: 1 natural, 0 uniform.
        seed: which rows, and their order.
    """
    mixture = Mixture(
        _load(data_dir, DEFAULT_DATASETS, Split.TRAIN).examples, total=total, seed=seed, alpha=alpha
    )
    _say(f"{'domain':<10}{'available':>10}{'rows':>8}{'share %':>9}{'epochs':>8}")
    for s in mixture.report():
        _say(f"{s.domain.value:<10}{s.available:>10}{s.rows:>8}{100 * s.rows / total:>9.1f}{s.epochs:>8.2f}")
    return 0


def hidden_calls_command(*, data_dir: Path, plus: Path, out: Path) -> int:
    """Write MBPP's rows with calls, which `reward_server.rewards.code.hidden` makes held-out tests of.

    Args:
        data_dir: directory with mbpp/<split>.jsonl or mbpp_sanitized/<split>.jsonl.
        plus: MBPP+ in EvalPlus's own format, a JSON object a line.
        out: directory for the same files, with the columns hidden_calls and other_solutions.
    """
    inputs = {str(row["task_id"]).rpartition("/")[2]: row for row in read_jsonl(plus.name, plus)}
    for dataset, split in product((DATASETS["mbpp"], DATASETS["mbpp_sanitized"]), Split):
        try:
            rows = Directory(data_dir).read(dataset, split)
        except SplitAbsentError:
            continue
        target = out / dataset.name / f"{split.value}.jsonl"
        target.parent.mkdir(parents=True, exist_ok=True)
        found = [(row, inputs.get(str(row["task_id"]))) for row in rows]
        written = [row if extra is None else with_calls(row, extra) for row, extra in found]
        target.write_text("".join(json.dumps(row) + "\n" for row in written), "utf-8")
        _say(f"{target}: {len(written)} rows, {sum('hidden_calls' in row for row in written)} with calls")
    return 0


def _load(data_dir: Path | None, datasets: Collection[str], *splits: Split) -> Loaded:
    if data_dir is None:
        return load(embedded(), splits=splits, datasets=datasets)
    loaded = load(Directory(data_dir), splits=splits, datasets=datasets)
    for name, why in (*loaded.skipped.items(), *loaded.excluded.items()):
        _say(f"left out: {name}: {why}")
    return loaded


@contextmanager
def _server(address: str | None) -> Generator[tuple[str, Security]]:
    given = address or os.environ.get("REWARD_ADDRESS")
    if given:
        yield given, Security.from_environment(os.environ)
        return
    with (
        tempfile.TemporaryDirectory(prefix="tasks-check-") as directory,
        LocalServer(Path(directory) / "server.log") as server,
    ):
        yield server.address, Security()


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")


def main() -> int:
    """Run the command; an error that names what to do is printed as one line."""
    try:
        return tyro.extras.subcommand_cli_from_dict(
            {"check": check_command, "hidden-calls": hidden_calls_command, "mix": mix_command}
        )
    except (TasksError, RewardClientError) as error:
        sys.stderr.write(f"{error}\n")
        return 2


if __name__ == "__main__":
    sys.exit(main())
