"""Processes and their memory, shared pages divided among those who share them."""

from pathlib import Path


def processes() -> set[int]:
    """Return the ids of all processes of this machine."""
    return {int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit()}


def proportional_bytes(pid: int) -> int:
    """Return the proportional set size of a process, 0 when it is gone or has none."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:")), 0)


def descendants(roots: set[int]) -> set[int]:
    """Return the children of processes, and theirs."""
    found: set[int] = set()
    parents = {pid: parent_of(pid) for pid in processes()}
    while new := {pid for pid, parent in parents.items() if parent in roots | found} - found:
        found |= new
    return found - roots


def parent_of(pid: int) -> int:
    """Return the id of a process's parent, 0 when it is gone."""
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except (FileNotFoundError, ProcessLookupError):
        return 0


def is_shim(pid: int) -> bool:
    """Tell whether a process is the parent of a container's first one."""
    try:
        return Path(f"/proc/{pid}/comm").read_text().startswith("containerd-shim")
    except (FileNotFoundError, ProcessLookupError):
        return False
