"""The system call filter, run by a small BPF machine: an allow list on both architectures."""

import struct

import pytest

from sandbox.image.seccomp import ALLOWED_CALLS, filter_code

X86, ARM, I386 = 0xC000003E, 0xC00000B7, 0x40000003
ALLOW, EPERM, KILL = 0x7FFF0000, 0x00050001, 0x80000000


def verdict(machine: str, arch: int, number: int) -> int:
    """Execute the filter on one call: loads, jumps and returns of classic BPF."""
    code = filter_code(machine)
    accumulator, position = 0, 0
    while True:
        operation, if_true, if_false, operand = struct.unpack_from("=HBBI", code, position * 8)
        position += 1
        match operation:
            case 0x20:
                accumulator = {0: number, 4: arch}[operand]
            case 0x15:
                position += if_true if accumulator == operand else if_false
            case 0x35:
                position += if_true if accumulator >= operand else if_false
            case 0x06:
                return operand
            case _:
                raise AssertionError(f"operation {operation:#x}")


# Numbers: the kernel's syscall tables, x86-64 and the generic one of arm64.
FORBIDDEN = {
    "clone": (56, 220),
    "fork": (57, None),
    "vfork": (58, None),
    "clone3": (435, 435),
    "execve": (59, 221),
    "execveat": (322, 281),
    "kill": (62, 129),
    "tkill": (200, 130),
    "tgkill": (234, 131),
    "pidfd_send_signal": (424, 424),
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "socket": (41, 198),
    "socketpair": (53, 199),
    "connect": (42, 203),
    "shmget": (29, 194),
    "semget": (64, 190),
    "msgget": (68, 186),
    "mq_open": (240, 180),
    "memfd_create": (319, 279),
    "mount": (165, 40),
    "unshare": (272, 97),
    "setns": (308, 268),
    "setuid": (105, 146),
    "setrlimit": (160, 164),
    "prlimit64": (302, 261),
    "prctl": (157, 167),
    "seccomp": (317, 277),
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
    "userfaultfd": (323, 282),
    "io_uring_setup": (425, 425),
    "keyctl": (250, 219),
    "personality": (135, 92),
    "open_by_handle_at": (304, 265),
    "ioctl": (16, 29),
    "not invented yet": (600, 600),
}
ALLOWED = {"read": (0, 63), "write": (1, 64), "openat": (257, 56), "mmap": (9, 222), "exit_group": (231, 94)}


@pytest.mark.parametrize("name", FORBIDDEN)
def test_calls_that_reach_beyond_the_process_are_refused(name: str):
    x86, arm = FORBIDDEN[name]

    assert verdict("x86_64", X86, x86) == EPERM
    assert arm is None or verdict("aarch64", ARM, arm) == EPERM


@pytest.mark.parametrize("name", ALLOWED)
def test_what_an_interpreter_needs_is_allowed(name: str):
    x86, arm = ALLOWED[name]

    assert (verdict("x86_64", X86, x86), verdict("aarch64", ARM, arm)) == (ALLOW, ALLOW)


@pytest.mark.parametrize(("machine", "arch", "column"), [("x86_64", X86, 0), ("aarch64", ARM, 1)])
def test_exactly_the_calls_of_the_table_are_allowed(machine: str, arch: int, column: int):
    allowed = {number for number in range(1000) if verdict(machine, arch, number) == ALLOW}

    assert allowed == {pair[column] for pair in ALLOWED_CALLS.values()} - {None}


@pytest.mark.parametrize(("machine", "arch"), [("x86_64", I386), ("x86_64", ARM), ("aarch64", X86)])
def test_a_call_through_a_foreign_abi_kills(machine: str, arch: int):
    assert verdict(machine, arch, 1) == KILL


def test_a_call_through_x32_kills():
    assert verdict("x86_64", X86, 0x40000000 + 1) == KILL


def test_an_unknown_architecture_is_refused_with_the_known_ones():
    with pytest.raises(KeyError, match="aarch64"):
        filter_code("riscv64")
