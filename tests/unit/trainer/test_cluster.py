"""Two real processes meet, share what one of them makes, and end together."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.unit.trainer import cluster_process
from trainer.cluster import ALONE
from trainer.config import ConfigurationError

ROOT = Path(__file__).resolve().parents[3]


class Ended(NamedTuple):
    """How a process ended, and when, in seconds after the first start."""

    status: int
    output: str
    seconds: float

    def told(self) -> dict[str, Any]:
        return json.loads(next(line for line in self.output.splitlines() if line.startswith("{")))


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def play(
    scene: str, directory: Path, *, numbers: tuple[int, ...] = (0, 1), connect_s: int = 60
) -> list[Ended]:
    """Starts the processes and waits for both."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "proto")])}
    port, began = free_port(), time.monotonic()
    with contextlib.ExitStack() as stack:
        started: list[tuple[subprocess.Popen[bytes], Path]] = []
        for number in numbers:
            log = directory / f"{scene}-{number}.log"
            out = stack.enter_context(log.open("w"))
            command = [
                sys.executable,
                cluster_process.__file__,
                str(number),
                str(port),
                scene,
                str(connect_s),
            ]
            process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=out, stderr=out)
            started.append((stack.enter_context(process), log))
            stack.callback(process.kill)
        return [
            Ended(process.wait(timeout=120), log.read_text(), time.monotonic() - began)
            for process, log in started
        ]


def test_what_the_leader_makes_is_known_to_all(tmp_path: Path) -> None:
    leader, other = play("share", tmp_path)

    assert (leader.status, other.status) == (0, 0), (leader.output, other.output)
    first, second = leader.told(), other.told()
    assert (first.pop("made here"), second.pop("made here")) == (1, 0)
    assert (first.pop("not a value"), second.pop("not a value").endswith("Clerk is no plain value")) == (
        "",
        True,
    )
    assert first == second
    assert first["shared"] == 7
    assert first["large"] == 20_000_000
    assert first["error"] == "no server"
    assert first["in another order"] == ["first", "second"]
    assert "process 1 of 2 has another seed than process 0" in first["differs"]
    assert (first["stops"][0], first["stops"][-1]) == (False, True)


def test_an_unexpected_error_in_one_ends_the_other_with_its_reason(tmp_path: Path) -> None:
    leader, other = play("fails", tmp_path)

    assert (leader.status, other.status) == (1, 1)
    assert "Traceback" in other.output
    assert "process 0 of 2 ends, because process 1 ended: OSError: no space left" in leader.output


def test_a_killed_leader_ends_the_others(tmp_path: Path) -> None:
    leader, other = play("killed", tmp_path)

    assert leader.status == -signal.SIGKILL
    assert other.status != 0
    # JAX notices as soon as this project does, and whoever is first speaks.
    assert "because process 0 is gone" in other.output or "another task died" in other.output


def test_processes_that_end_alike_do_not_accuse_each_other(tmp_path: Path) -> None:
    for ended in play("stopped", tmp_path):
        assert ended.status == 130, ended.output
        assert "because" not in ended.output


def test_nobody_waits_for_ever_for_a_process_that_does_not_come(tmp_path: Path) -> None:
    (leader,) = play("share", tmp_path, numbers=(0,), connect_s=1)
    (other,) = play("share", tmp_path, numbers=(1,), connect_s=1)

    assert (leader.status, other.status) == (1, 1)
    assert "not all processes came to 127.0.0.1:" in leader.output
    assert "within 1 s" in leader.output
    assert "nothing listens at 127.0.0.1:" in other.output


def test_a_port_that_is_taken_is_named() -> None:
    from trainer.options import ClusterOptions
    from trainer.processes import connect

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = f"127.0.0.1:{taken.getsockname()[1]}"

        with pytest.raises(ConfigurationError, match=f"something listens at {address} already"):
            connect(ClusterOptions(coordinator=address, processes=2))


def test_one_process_is_a_cluster_of_its_own() -> None:
    assert (ALONE.share(lambda: 7), ALONE.stops(True), ALONE.stops(False)) == (7, True, False)
    ALONE.same("seed", "0")
    with pytest.raises(ConfigurationError, match="no directory"):
        ALONE.agree("no directory")
