"""Who owns a container: a process, told apart from all others, alive or dead.

A label holds boot id, PID namespace, PID and start time. An owner can judge only
those that share its boot and PID namespace; of others it knows nothing, and says so.
"""

import os
from dataclasses import dataclass
from pathlib import Path

_START_TIME_FIELD = 22  # of /proc/PID/stat, counted from 1: proc(5)


@dataclass(frozen=True, kw_only=True, slots=True)
class Owner:
    """A process of this or another machine."""

    boot_id: str
    pid_namespace: str
    pid: int
    start_time: int  # clock ticks since boot

    @staticmethod
    def this_process() -> "Owner":
        """Describe the calling process (Linux only)."""
        pid = os.getpid()
        start_time = _start_time(pid)
        assert start_time is not None, "the calling process is alive"
        return Owner(
            boot_id=Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip(),
            pid_namespace=os.readlink("/proc/self/ns/pid"),  # noqa: PTH115  (not a path: "pid:[4026531836]")
            pid=pid,
            start_time=start_time,
        )

    def label(self) -> str:
        """Write the owner as the value of a container label."""
        return f"{self.boot_id} {self.pid_namespace} {self.pid} {self.start_time}"

    def knows_dead(self, label: str) -> bool:
        """Tell whether the owner named by a label is certainly dead."""
        parts = label.split(" ")
        if len(parts) != 4 or parts[:2] != [self.boot_id, self.pid_namespace]:
            return False
        return str(_start_time(int(parts[2]))) != parts[3]


def _start_time(pid: int) -> int | None:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return None
    after_name = stat.rpartition(")")[2].split()  # the name may hold spaces and brackets; field 3 follows it
    return int(after_name[_START_TIME_FIELD - 3])
