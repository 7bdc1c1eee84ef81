"""`--self-check` says whether this host may grade code, and leaves nothing behind."""

import subprocess
import sys

import pytest

COMMAND = [sys.executable, "-m", "reward_server", "--self-check"]
BOUND_S = 120.0  # against hangs


@pytest.mark.docker
def test_a_fit_host_passes_with_a_line_for_every_program(sandbox_image: str) -> None:
    done = subprocess.run(COMMAND, capture_output=True, text=True, timeout=BOUND_S, check=False)

    lines = done.stdout.splitlines()
    assert done.returncode == 0, done.stdout + done.stderr
    assert lines[-1].endswith("honest ones full marks")
    assert len(lines) > 40
    assert all(line.startswith("ok") for line in lines[1:-1])


def test_a_host_without_any_backend_fails_and_says_why() -> None:
    environment = {"DOCKER_HOST": "unix:///nonexistent.sock", "PATH": ""}

    done = subprocess.run(
        COMMAND, capture_output=True, text=True, timeout=BOUND_S, check=False, env=environment
    )

    assert done.returncode == 1, done.stdout + done.stderr
    assert "unix:///nonexistent.sock" in done.stdout
