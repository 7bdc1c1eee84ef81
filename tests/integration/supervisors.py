"""Finds the supervisors that this process has started, whatever the backend."""

import os
from pathlib import Path

import docker

from sandbox.docker import LABEL
from sandbox.options import BackendChoice
from sandbox.owner import Owner


def supervisors(backend: BackendChoice) -> set[int]:
    """Return their process ids, as this process sees them."""
    return _in_containers() if backend is BackendChoice.DOCKER else _in_jails()


def _in_containers() -> set[int]:
    client = docker.from_env()
    try:
        found = client.api.containers(filters={"label": f"{LABEL}={Owner.this_process().label()}"})
        return {client.api.inspect_container(item["Id"])["State"]["Pid"] for item in found} - {0}
    except docker.errors.NotFound:  # removed in between
        return _in_containers()
    finally:
        client.close()


def _in_jails() -> set[int]:
    """Return the children of our children that are called bwrap."""
    parents = {int(path.name): _status(path) for path in Path("/proc").iterdir() if path.name.isdigit()}
    jails = {pid for pid, (name, parent) in parents.items() if (name, parent) == ("bwrap", os.getpid())}
    return {pid for pid, (_, parent) in parents.items() if parent in jails}


def _status(path: Path) -> tuple[str, int]:
    try:
        lines = (path / "status").read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return "", 0
    fields = dict(line.split(":\t", 1) for line in lines if ":\t" in line)
    return fields["Name"], int(fields["PPid"])
