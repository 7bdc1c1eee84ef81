"""`python -m trainer` over two processes, as over two hosts: the numbers of one, and no hanging."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from tests.e2e import cluster_run
from trainer.run_files.records import StepRecord
from trainer.run_files.run_directory import RunDirectory

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]

ROOT = Path(__file__).resolve().parents[2]
# As in `test_meshes`: the same sums in float32, in another order. Tokens, and so rewards, are equal.
RELATIVE, ABSOLUTE = 1e-4, 1e-6
BOUND_S = 120.0  # of a run on a busy machine; behind the death of another, a few seconds are needed
SMALL = (
    *("--config", "tiny", "--steps", "5", "--checkpoint-every", "2", "--model.fsdp", "2"),
    *("--model.layers", "1", "--model.width", "32", "--model.hidden", "32", "--model.head-dim", "8"),
    *("--model.max-new-tokens", "16", "--warm-start.steps", "2", "--warm-start.batch", "2"),
    *("--grpo.prompts", "4", "--grpo.group-size", "2"),
    *("--evals.prompts-per-domain", "1", "--evals.samples-per-prompt", "1", "--evals.every", "2"),
)
# Seconds of compilation, in all processes alike.
QUICK = "--xla_backend_optimization_level=0 --xla_llvm_disable_expensive_passes=true"


def start(directory: Path, log: Path, *arguments: str, devices: int) -> "subprocess.Popen[bytes]":
    environment = os.environ | {
        "JAX_PLATFORMS": "cpu",
        "XLA_FLAGS": f"{QUICK} --xla_force_host_platform_device_count={devices}",
        "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "proto")]),
        "COLUMNS": "200",
    }
    command = [sys.executable, cluster_run.__file__, *SMALL, *arguments]
    with log.open("w") as out:
        return subprocess.Popen(command, cwd=directory, env=environment, stdout=out, stderr=out)


@contextlib.contextmanager
def two(directory: Path, name: str) -> "Iterator[list[tuple[subprocess.Popen[bytes], Path]]]":
    """Starts two processes of one CPU device each, and kills what is left of them."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        coordinator = f"127.0.0.1:{free.getsockname()[1]}"
    with contextlib.ExitStack() as stack:
        started: list[tuple[subprocess.Popen[bytes], Path]] = []
        for number in range(2):
            log = directory / f"{name}-{number}.log"
            cluster = ("--cluster.coordinator", coordinator, "--cluster.processes", "2")
            arguments = ("--run-dir", "runs/two", *cluster, "--cluster.process-id", str(number))
            process = stack.enter_context(start(directory, log, *arguments, devices=1))
            stack.callback(process.kill)
            started.append((process, log))
        yield started


def said(started: "list[tuple[subprocess.Popen[bytes], Path]]") -> list[str]:
    return [log.read_text()[-3000:] for _, log in started]


def wait_for_steps(started: "list[tuple[subprocess.Popen[bytes], Path]]", run: Path, number: int) -> None:
    while not run.is_dir() or len(RunDirectory(run).read_steps()) < number:
        assert all(process.poll() is None for process, _ in started), said(started)
        time.sleep(0.05)


def ends(started: "list[tuple[subprocess.Popen[bytes], Path]]", *statuses: int) -> None:
    """Waits, for a bounded time, until both have ended."""
    try:
        found = [process.wait(timeout=BOUND_S) for process, _ in started]
    except subprocess.TimeoutExpired:
        pytest.fail(f"still running: {said(started)}")
    assert found == list(statuses), said(started)


def exact(record: StepRecord) -> tuple[object, ...]:
    """What does not depend on the order of a sum."""
    return record.step, record.reward, record.reward_by_domain, record.completion_tokens, record.data_position


def sums(record: StepRecord) -> list[float]:
    return [record.loss, record.kl, record.grad_norm, record.entropy]


def test_two_processes_of_which_one_was_killed_train_to_the_numbers_of_one(tmp_path: Path) -> None:
    one, both = tmp_path / "runs" / "one", tmp_path / "runs" / "two"
    log = tmp_path / "one.log"
    with (
        start(tmp_path, log, "--run-dir", "runs/one", devices=2) as alone,
        two(tmp_path, "killed") as killed,
    ):
        wait_for_steps(killed, both, 3)  # behind the first checkpoint
        killed[1][0].kill()
        ends(killed, 1, -signal.SIGKILL)
        assert alone.wait() == 0, log.read_text()
    with two(tmp_path, "last") as last:
        ends(last, 0, 0)

    assert "cluster: process 0 of 2 ends" in said(killed)[0]
    expected, found = RunDirectory(one).read_steps(), RunDirectory(both).read_steps()
    assert [exact(record) for record in found] == [exact(record) for record in expected]
    np.testing.assert_allclose(
        [sums(record) for record in found],
        [sums(record) for record in expected],
        rtol=RELATIVE,
        atol=ABSOLUTE,
    )
    summaries = [json.loads((run / "summary.json").read_text()) for run in (one, both)]
    assert summaries[1]["resumed_from_step"] > 0
    for name in ("before", "after", "rewards", "failures"):
        assert summaries[0][name] == summaries[1][name], name
    # One directory of a run: the files of one process, and what the processes met by.
    files = [{str(path.relative_to(run)) for path in run.rglob("*.*")} for run in (one, both)]
    elsewhere = ("checkpoints", "tensorboard", "evals/sampled")  # named by step and by process
    assert {name for name in files[0] ^ files[1] if not name.startswith(elsewhere)} == {"cluster.json"}
    assert (both / "checkpoints" / "actor" / "5" / "model_params").is_dir()
    # The other process tells nothing.
    assert "step" not in last[1][1].read_text()
