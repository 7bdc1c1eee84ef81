"""What the pool's tests run, and how they look for what is left."""

import os
from pathlib import Path

MODULE = "tests.unit.workers.sample_tasks"
TASKS = {
    name: f"{MODULE}:{name}"
    for name in (
        *("echo", "pid", "parent", "spin", "spin_in_c", "sleep", "fill_memory", "fail", "die", "die_once"),
        *("spin_for", "spin_and_die_once"),
        *("shout", "write_file", "process_limit", "environment", "too_much", "garble"),
    )
}


def processes_below_this_one() -> set[int]:
    """Those of pools: other suites of this process may have left an engine running until its end."""
    parents: dict[int, int] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parents[int(entry.name)] = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            except (FileNotFoundError, ProcessLookupError):
                continue
    found: set[int] = set()
    while more := {pid for pid, parent in parents.items() if parent in found | {os.getpid()}} - found:
        found |= more
    return {pid for pid in found if _is_of_a_pool(pid)}


def _is_of_a_pool(pid: int) -> bool:
    try:
        line = Path(f"/proc/{pid}/cmdline").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return not line or b"reward_server.workers.zygote_main" in line  # a zombie has no line
