"""Memory of processes, shared pages divided among those who share them."""

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
