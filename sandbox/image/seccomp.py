"""The system calls a program may make: an allow list, as a classic BPF filter.

Everything else returns EPERM, so that Python raises PermissionError: no process, no
thread, no exec, no socket, no IPC, no signal to anyone, no mount, no namespace, and
nothing the kernel gains later. A call through a foreign ABI kills the program.
Numbers: Linux `asm/unistd_64.h` (x86-64) and `asm-generic/unistd.h` (arm64).
"""

import ctypes
import platform
import struct

# name: (x86-64, arm64); None where the architecture has no such call
ALLOWED_CALLS: dict[str, tuple[int | None, int | None]] = {
    "read": (0, 63),
    "write": (1, 64),
    "readv": (19, 65),
    "writev": (20, 66),
    "pread64": (17, 67),
    "close": (3, 57),
    "fstat": (5, 80),
    "lseek": (8, 62),
    "newfstatat": (262, 79),
    "statx": (332, 291),
    "stat": (4, None),
    "lstat": (6, None),
    "open": (2, None),
    "openat": (257, 56),
    "access": (21, None),
    "faccessat": (269, 48),
    "faccessat2": (439, 439),
    "readlink": (89, None),
    "readlinkat": (267, 78),
    "getcwd": (79, 17),
    "getdents64": (217, 61),
    "mmap": (9, 222),
    "munmap": (11, 215),
    "mprotect": (10, 226),
    "mremap": (25, 216),
    "madvise": (28, 233),
    "brk": (12, 214),
    "rt_sigaction": (13, 134),
    "rt_sigprocmask": (14, 135),
    "rt_sigreturn": (15, 139),
    "sigaltstack": (131, 132),
    "restart_syscall": (219, 128),
    "clock_gettime": (228, 113),
    "clock_getres": (229, 114),
    "clock_nanosleep": (230, 115),
    "nanosleep": (35, 101),
    "gettimeofday": (96, 169),
    "time": (201, None),
    "times": (100, 153),
    "getrusage": (98, 165),
    "futex": (202, 98),
    "sched_yield": (24, 124),
    "sched_getaffinity": (204, 123),
    "getrandom": (318, 278),
    "uname": (63, 160),
    "getpid": (39, 172),
    "gettid": (186, 178),
    "getppid": (110, 173),
    "getuid": (102, 174),
    "geteuid": (107, 175),
    "getgid": (104, 176),
    "getegid": (108, 177),
    "poll": (7, None),
    "ppoll": (271, 73),
    "select": (23, None),
    "pselect6": (270, 72),
    "exit": (60, 93),
    "exit_group": (231, 94),
}

_AUDIT_ARCH = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}

_PR_SET_NO_NEW_PRIVS, _PR_SET_DUMPABLE, _PR_SET_SECCOMP = 38, 4, 22
_SECCOMP_MODE_FILTER = 2
_KILL_PROCESS, _ALLOW, _ERRNO_EPERM = 0x80000000, 0x7FFF0000, 0x00050001

# linux/capability.h, version 3, of the calling process: effective, permitted and inheritable, twice 32 bits
_CAPABILITY_HEADER = struct.pack("=Ii", 0x20080522, 0)
_NO_CAPABILITIES = bytes(24)

_LOAD_WORD, _JUMP_EQUAL, _JUMP_GREATER_EQUAL, _RETURN = 0x20, 0x15, 0x35, 0x06
_OFFSET_NUMBER, _OFFSET_ARCH = 0, 4
_X32_BIT = 0x40000000


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.c_void_p))


def _instruction(code: int, operand: int, if_true: int = 0, if_false: int = 0) -> bytes:
    return struct.pack("=HBBI", code, if_true, if_false, operand)


def filter_code(machine: str) -> bytes:
    """Assemble the filter for `platform.machine()`; KeyError for an architecture without numbers."""
    column = tuple(_AUDIT_ARCH).index(machine) if machine in _AUDIT_ARCH else None
    if column is None:
        raise KeyError(f"no system call numbers for {machine!r}; known: {sorted(_AUDIT_ARCH)}")
    numbers = [pair[column] for pair in ALLOWED_CALLS.values()]
    allowed = {number for number in numbers if number is not None}
    # Where the answer changes, going up: to yes at the first, to no at the second, and so on.
    changes = sorted(allowed ^ {number + 1 for number in allowed})
    code = [
        _instruction(_LOAD_WORD, _OFFSET_ARCH),
        _instruction(_JUMP_EQUAL, _AUDIT_ARCH[machine], if_true=1),
        _instruction(_RETURN, _KILL_PROCESS),
        _instruction(_LOAD_WORD, _OFFSET_NUMBER),
        _instruction(_JUMP_GREATER_EQUAL, _X32_BIT, if_false=1),
        _instruction(_RETURN, _KILL_PROCESS),
        *_search(changes, before=_ERRNO_EPERM, after=_ALLOW),
    ]
    return b"".join(code)


def _search(changes: list[int], before: int, after: int) -> list[bytes]:
    """Assemble a binary search; the answer is `before` below the first change and `after` from it on.

    The kernel tries a new filter on every call there is, for each program anew: depth is time.
    """
    if not changes:
        return [_instruction(_RETURN, before)]
    middle = len(changes) // 2
    below = _search(changes[:middle], before, after)
    swapped = (before, after) if middle % 2 else (after, before)
    above = _search(changes[middle + 1 :], *swapped)
    return [_instruction(_JUMP_GREATER_EQUAL, changes[middle], if_true=len(below)), *below, *above]


class Filter:
    """The filter, assembled once in the supervisor and installed in every child."""

    def __init__(self) -> None:
        code = filter_code(platform.machine())
        self._code = ctypes.create_string_buffer(code, len(code))
        self._program = _Program(len(code) // 8, ctypes.addressof(self._code))
        libc = ctypes.CDLL(None)  # without `use_errno`, which doubles the memory that a child copies for this
        self._capset, self._prctl = libc.capset, libc.prctl
        # Looked up and converted now: in every child it would cost a fresh copy of the memory it touches.
        steps = ((_PR_SET_NO_NEW_PRIVS, 1, 0), (_PR_SET_DUMPABLE, 0, 0),
                 (_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, ctypes.addressof(self._program)))  # fmt: skip
        self._steps = [[ctypes.c_ulong(number) for number in (*step, 0, 0)] for step in steps]

    def install(self) -> None:
        """Give up capabilities, privileges and system calls for good; OSError when the kernel refuses."""
        if self._capset(_CAPABILITY_HEADER, _NO_CAPABILITIES) != 0:
            raise OSError("capset refused")
        for step in self._steps:
            if self._prctl(*step) != 0:
                raise OSError(f"prctl({step[0].value}) refused")
