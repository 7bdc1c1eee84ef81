"""`python -m sandbox`: what a person sees, and the exit codes."""

import contextlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import missing

ROOT = Path(__file__).resolve().parents[2]

pytestmark = [pytest.mark.docker, pytest.mark.usefixtures("sandbox_image")]


def sandbox(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "sandbox", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


def test_a_fit_host_passes_every_check():
    done = sandbox("check", "--backend", "docker")

    first, *limits, last = done.stdout.splitlines()
    assert done.returncode == 0, done.stdout
    assert (first, last) == ("docker:", "programs run in docker")
    assert len(limits) == 17
    assert {line[:7] for line in limits} == {"  ok   "}


NOBODY = 65534


def ordinary(*arguments: str, group: int = NOBODY) -> subprocess.CompletedProcess[str]:
    """Run the command as an ordinary user, with an interpreter that others may use."""
    if os.geteuid() != 0:
        missing("only root can become another user")
    packages = [str(ROOT), *(path for path in sys.path if path.endswith("-packages"))]
    environment = {"PATH": "/usr/bin:/bin", "PYTHONPATH": ":".join(packages), "PYTHONDONTWRITEBYTECODE": "1"}
    for interpreter in (sys.executable, f"/usr/bin/python3.{sys.version_info.minor}"):
        with contextlib.suppress(OSError):
            return subprocess.run(
                [interpreter, "-m", "sandbox", *arguments],
                user=NOBODY,
                group=group,
                extra_groups=[],
                env=environment,
                cwd="/",
                capture_output=True,
                text=True,
                timeout=120,
                check=False,
            )
    missing("no Python interpreter here can be run by other users")
    raise AssertionError("missing() ends the test")


def test_an_ordinary_user_with_access_to_the_engine_is_enough():
    done = ordinary("check", "--backend", "docker", group=Path("/var/run/docker.sock").stat().st_gid)

    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines()[-1] == "programs run in docker"


def test_an_ordinary_user_is_refused_a_jail_with_the_reason():
    done = ordinary("check", "--backend", "bubblewrap")

    assert done.returncode == 1
    assert "bubblewrap needs root here" in done.stdout or "bubblewrap is not installed" in done.stdout
    assert "Traceback" not in done.stderr


def test_without_an_engine_the_check_says_so_and_fails(tmp_path: Path):
    done = sandbox("--docker-host", f"unix://{tmp_path}/no.sock", "check", "--backend", "docker")

    assert done.returncode == 1
    assert "NO   no Docker Engine answers at unix:///" in done.stdout
    assert done.stdout.splitlines()[-1].startswith("no backend is fit")
    assert "Traceback" not in done.stderr


def test_a_runtime_that_the_engine_does_not_know_is_told_with_those_it_knows():
    done = sandbox("check", "--runtime", "absent")

    assert done.returncode == 1
    assert "the engine has no runtime 'absent', only " in done.stdout
    assert "runc" in done.stdout
    assert "bubblewrap" not in done.stdout  # who asks for a runtime wants nothing weaker


def test_a_runtime_without_an_engine_makes_no_sense():
    done = sandbox("check", "--backend", "bubblewrap", "--runtime", "runsc")

    assert (done.returncode, done.stdout) == (1, "")
    assert "runtime='runsc'" in done.stderr


def test_building_again_does_nothing():
    done = sandbox("build")

    assert done.returncode == 0
    assert done.stdout.strip().endswith("exists already")


def test_without_an_engine_building_fails_unless_it_was_optional(tmp_path: Path):
    no_engine = ("--docker-host", f"unix://{tmp_path}/no.sock")

    required, optional = sandbox(*no_engine, "build"), sandbox(*no_engine, "build", "--if-engine")

    assert (required.returncode, optional.returncode) == (1, 0)
    assert len(optional.stdout.splitlines()) == 1
    assert optional.stdout.startswith(f"no sandbox: no Docker Engine answers at unix://{tmp_path}/no.sock")
    assert "SANDBOX failures" in optional.stdout


def test_a_file_is_run_and_its_results_are_printed(tmp_path: Path):
    file = tmp_path / "program.py"
    file.write_text("def half(x): return x / 2\n")

    done = sandbox("run", str(file), "--call", "half(3)", "--call", "half('a')", "--call", "half")

    status, *results = done.stdout.splitlines()
    assert done.returncode == 0
    assert status.startswith("ok in ")
    assert results[0] == "half(3) = 1.5"
    assert results[1].startswith("half('a') raised TypeError: ")
    assert results[2] == "half returned function, which is not plain data"


def test_a_file_that_does_not_load_has_exit_code_one(tmp_path: Path):
    file = tmp_path / "program.py"
    file.write_text("raise KeyError\n")

    done = sandbox("run", str(file))

    assert done.returncode == 1
    assert "load_error" in done.stdout
