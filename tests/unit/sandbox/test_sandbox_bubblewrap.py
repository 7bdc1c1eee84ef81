"""The bubblewrap backend: which hosts it refuses, and what a jail is given."""

import os
from pathlib import Path

import pytest

from sandbox import bubblewrap
from sandbox.api import SandboxError


@pytest.fixture
def bwrap(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A host whose only bubblewrap is a script that tells a version."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    script = tmp_path / "bwrap"
    script.write_text("#!/bin/sh\necho bubblewrap 0.8.0\n")
    script.chmod(0o755)
    return script


def test_a_host_with_bubblewrap_and_root_is_taken(bwrap: Path):
    assert bubblewrap.require_host() == str(bwrap)


def test_a_host_without_bubblewrap_is_told_what_to_install(bwrap: Path):
    bwrap.unlink()

    with pytest.raises(SandboxError, match="apt-get install bubblewrap"):
        bubblewrap.require_host()


def test_an_ordinary_user_is_refused(bwrap: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(os, "geteuid", lambda: 1000)

    with pytest.raises(SandboxError, match="needs root"):
        bubblewrap.require_host()


def test_a_bubblewrap_that_is_too_old_is_refused(bwrap: Path):
    bwrap.write_text("#!/bin/sh\necho bubblewrap 0.4.1\n")

    with pytest.raises(SandboxError, match=r"0\.4\.1 is too old"):
        bubblewrap.require_host()


def test_a_bubblewrap_that_tells_no_version_is_refused(bwrap: Path):
    bwrap.write_text("#!/bin/sh\nexit 1\n")

    with pytest.raises(SandboxError, match="does not tell its version"):
        bubblewrap.require_host()


def test_nothing_of_the_host_is_mounted_so_that_it_can_be_written():
    arguments = bubblewrap.jail_arguments({"/opt/assay/x.py": 7})

    mounted = [arguments[i + 1] for i, argument in enumerate(arguments) if argument == "--dev-bind"]
    assert "--bind" not in arguments
    assert {str(Path(path).parent) for path in mounted} == {"/dev"}
    assert arguments[-5:] == ["--remount-ro", "/", "--chdir", "/", "--"]
