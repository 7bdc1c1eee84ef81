"""`python -m trainer` as a user runs it, against a real reward server of its own."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from reward_client.local import LocalServer
from tests.unit.trainer.event_files import scalars

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]

SMALL = (
    *("--steps", "6", "--checkpoint-every", "2"),
    *("--model.layers", "1", "--model.width", "32", "--model.hidden", "32", "--model.head-dim", "8"),
    *("--warm-start.steps", "30", "--warm-start.batch", "8"),
    *("--grpo.prompts", "7", "--grpo.group-size", "2"),
    *("--evals.prompts-per-domain", "1", "--evals.samples-per-prompt", "2"),
)


def start(directory: Path, *arguments: str, address: str = "") -> "subprocess.Popen[str]":
    environment = {**os.environ, "JAX_PLATFORMS": "cpu", "REWARD_ADDRESS": address, "COLUMNS": "200"}
    command = (sys.executable, "-m", "trainer", "--config", "tiny", *SMALL, *arguments)
    return subprocess.Popen(
        command, cwd=directory, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )


def steps(run: Path) -> list[dict]:
    path = run / "metrics.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.is_file() else []


def numbers(step: dict) -> list[object]:
    """What must not depend on time or interruptions."""
    names = ("step", "loss", "kl", "grad_norm", "reward", "reward_by_domain", "completion_tokens")
    return [step[name] for name in names]


def wait_for_steps(process: "subprocess.Popen[str]", run: Path, number: int) -> None:
    while len(steps(run)) < number:
        assert process.poll() is None, process.communicate()[0]
        time.sleep(0.05)


def signal_after(process: "subprocess.Popen[str]", run: Path, number: int, sign: signal.Signals) -> str:
    """Send `sign` once `number` steps are written, and return all output."""
    wait_for_steps(process, run, number)
    process.send_signal(sign)
    return process.communicate()[0]


@pytest.fixture(scope="module")
def workplace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One directory for all runs, so that programs are compiled once."""
    return tmp_path_factory.mktemp("train")


@pytest.fixture(scope="module")
def whole(workplace: Path) -> Path:
    """A run without interruption."""
    process = start(workplace, "--run-dir", "runs/whole")
    output = process.communicate()[0]
    assert process.returncode == 0, output
    return workplace / "runs" / "whole"


def test_a_run_leaves_everything_it_should(whole: Path) -> None:
    summary = json.loads((whole / "summary.json").read_text())
    record = json.loads((whole / "run.json").read_text())

    assert summary["steps"] == 6
    assert {"math", "science", "logic", "writing", "ideation", "summary", "all"} <= summary["after"].keys()
    assert summary["rewards"] == 6 * 7 * 2
    assert set(record["versions"]) >= {"jax", "google-tunix"}
    assert record["prompt_hash"] == summary["prompt_hash"]
    assert all("+" in version for version in record["reward_versions"].values())
    for name in ("config.yaml", "policy.json", "base/model.safetensors", "base/tokenizer.model"):
        assert (whole / name).is_file()
    for name in (
        "lora/adapter_model.safetensors",
        "evals/before.jsonl",
        "evals/after.jsonl",
        "completions.jsonl",
    ):
        assert (whole / name).is_file()
    assert (whole.parent / "latest").resolve() == whole.resolve()


def test_a_run_stopped_and_killed_goes_on_to_the_same_numbers(whole: Path, workplace: Path) -> None:
    run = workplace / "runs" / "broken"
    arguments = ("--run-dir", "runs/broken")

    stopped = start(workplace, *arguments)
    said = signal_after(stopped, run, 1, signal.SIGINT)
    assert stopped.returncode == 130, said
    assert "goes on from the last checkpoint" in said
    killed = start(workplace, *arguments)
    signal_after(killed, run, 3, signal.SIGKILL)
    last = start(workplace, *arguments)
    output = last.communicate()[0]

    assert last.returncode == 0, output
    assert "resumed from step" in output
    assert [numbers(step) for step in steps(run)] == [numbers(step) for step in steps(whole)]
    curves = {name: [step for step, _ in points] for name, points in scalars(run).items()}
    assert curves["reward/all"] == curves["policy/kl"] == [1, 2, 3, 4, 5, 6]


def test_the_command_line_gives_the_greedy_answer_that_the_evaluation_saw(
    whole: Path, workplace: Path
) -> None:
    rows = [json.loads(line) for line in (whole / "evals" / "after.jsonl").read_text().splitlines()]
    seen = max((row for row in rows if row["mode"] == "greedy"), key=lambda row: len(row["completion"]))
    result = subprocess.run(
        (sys.executable, "-m", "trainer.generate", seen["prompt"], "--run", str(whole)),
        cwd=workplace,
        env={**os.environ, "JAX_PLATFORMS": "cpu"},
        text=True,
        capture_output=True,
        check=False,
    )

    assert result.returncode == 0, result.stderr
    assert result.stdout == seen["completion"] + "\n"


def test_a_server_that_dies_and_comes_back_costs_seconds_and_no_number(
    whole: Path, workplace: Path, tmp_path: Path
) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        where = ("--listen", f"127.0.0.1:{free.getsockname()[1]}")
    run = workplace / "runs" / "restarted"
    with LocalServer(tmp_path / "first.log", where) as first:
        process = start(workplace, "--run-dir", "runs/restarted", address=first.address)
        wait_for_steps(process, run, 2)
        first.kill()
        time.sleep(3.0)  # longer than gRPC's own retries
        with LocalServer(tmp_path / "second.log", where):
            output = process.communicate()[0]

    assert process.returncode == 0, output
    assert "waiting for the reward server" in output
    assert [numbers(step) for step in steps(run)] == [numbers(step) for step in steps(whole)]
    assert not any(step["failures"] for step in steps(run))
    assert json.loads((run / "summary.json").read_text())["resumed_from_step"] == 0


def test_a_dead_server_is_an_error_with_its_address_and_how_to_go_on(workplace: Path) -> None:
    process = start(workplace, "--run-dir", "runs/dead", "--rewards.timeout-s", "3", address="127.0.0.1:1")
    output = process.communicate()[0]

    assert process.returncode == 1
    assert "waiting for the reward server" in output
    assert "127.0.0.1:1" in output
    assert "give the same command again" in output
    assert "Traceback" not in output
