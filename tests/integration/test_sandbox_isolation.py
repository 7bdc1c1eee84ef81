"""What a program cannot reach, attacked from inside every backend."""

import asyncio
import dataclasses
from typing import Any

import pytest

from sandbox.api import Limits, Program, RunStatus, Sandbox, Value
from sandbox.opening import open_sandbox
from sandbox.options import SandboxOptions

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def call(sandbox: Sandbox, source: str) -> Any:
    """Run a program that defines `f`; returns what `f()` returned."""
    run = await sandbox.run(Program(source=source, calls=("f()",)), Limits())
    assert run.status is RunStatus.OK, run
    (result,) = run.results
    assert isinstance(result, Value), result
    return result.data


ATTEMPT = """
import ctypes, os, signal, socket, subprocess, threading
def attempt(action):
    try: action()
    except (OSError, RuntimeError) as error: return type(error).__name__
    return 'done'
"""


@pytest.mark.parametrize(
    "action",
    [
        "socket.socket(socket.AF_INET)",
        "socket.socket(socket.AF_INET6)",
        "socket.socket(socket.AF_UNIX)",
        "socket.socket(socket.AF_NETLINK, socket.SOCK_RAW)",
        "socket.create_connection(('127.0.0.1', 80))",
        "socket.getaddrinfo('example.com', 80)",
    ],
)
async def test_no_socket_of_any_family(sandbox: Sandbox, action: str):
    assert await call(sandbox, f"{ATTEMPT}\ndef f(): return attempt(lambda: {action})") != "done"


async def test_no_network_device_but_loopback(sandbox: Sandbox):
    source = "def f(): return [line.split(':')[0].strip() for line in open('/proc/net/dev')][2:]"

    assert [
        name for name in await call(sandbox, source) if name not in ("lo", "tunl0", "sit0", "ip6tnl0")
    ] == []


@pytest.mark.parametrize(
    "action",
    [
        "os.fork()",
        "os.execv('/bin/true', ['true'])",
        "os.posix_spawn('/bin/true', ['true'], {})",
        "subprocess.run(['/bin/true'])",
        "threading.Thread(target=print).start()",
        "os.kill(1, signal.SIGKILL)",
        "os.kill(-1, signal.SIGKILL)",
        "os.kill(os.getpid(), signal.SIGKILL)",
        "os.setuid(0)",
        "os.setpriority(os.PRIO_PROCESS, 0, -5)",
        "os.chdir('/root')",
        "os.chroot('/')",
        "os.mkfifo('/tmp/x')",
        "os.memfd_create('x')",
        "os.pipe()",
        "open('/proc/1/mem', 'rb')",
        "open('/proc/1/fd/0', 'rb')",
        "os.open('/proc/1/fd/1', os.O_WRONLY)",
        "os.open('/proc/1/fd/2', os.O_WRONLY)",
        "os.readlink('/proc/1/exe')",
        "open('/proc/self/mem', 'r+b')",
        "open('/proc/self/oom_score_adj', 'w')",
        "open('/opt/assay/sandbox/image/child.py')",
        "open('/etc/shadow')",
    ],
)
async def test_forbidden_actions_raise(sandbox: Sandbox, action: str):
    assert await call(sandbox, f"{ATTEMPT}\ndef f(): return attempt(lambda: {action})") != "done"


@pytest.mark.parametrize(
    ("look", "harmless"),
    [
        (
            "[line.split('=')[0] for line in open('/proc/1/environ').read().split(chr(0))[:-1]]",
            {"HOSTNAME", "PYTHONHASHSEED", "LC_ALL", "TZ", "PATH", "HOME"},
        ),
        # 3 is the null device, 4 the program's own pipe, 5 at times its account under /proc.
        ("os.listdir('/proc/1/fd')", set("012345")),
    ],
    ids=["environment", "descriptors"],
)
async def test_the_supervisor_cannot_be_looked_into_or_under_gvisor_has_no_secret(
    sandbox: Sandbox, options: SandboxOptions, look: str, harmless: set[str]
):
    source = f"""
import os
def f():
    try: return {look}
    except OSError as error: return type(error).__name__
"""

    seen = await call(sandbox, source)

    # gVisor 20221219 gives these two files to everyone, whatever the owner of the process.
    assert set(seen) <= harmless if options.runtime else seen == "PermissionError"


async def test_raw_system_calls_are_refused_as_those_of_the_library(sandbox: Sandbox):
    source = """
import ctypes, platform
libc = ctypes.CDLL(None, use_errno=True)
NUMBERS = {'x86_64': [56, 57, 58, 59, 62, 101, 165, 272, 310, 321, 425, 435],
           'aarch64': [220, 221, 129, 117, 40, 97, 270, 280, 425, 435]}
def f():
    errors = set()
    for number in NUMBERS[platform.machine()]:
        assert libc.syscall(number, 0, 0, 0, 0, 0, 0) == -1
        errors.add(ctypes.get_errno())
    return errors
"""
    assert await call(sandbox, source) == {1}


async def test_no_file_can_be_made_anywhere(sandbox: Sandbox):
    source = """
import os
def f():
    made = []
    for path, _, _ in os.walk('/'):
        try:
            os.close(os.open(os.path.join(path, 'left-behind'), os.O_CREAT | os.O_WRONLY))
            made.append(path)
        except OSError:
            pass
    return made, os.path.exists('/dev/shm/')
"""
    made, _ = await call(sandbox, source)

    assert made == []


async def test_a_program_has_no_privileges_no_environment_and_no_files_of_ours(sandbox: Sandbox):
    source = """
import os
def f():
    status = dict(line.split(':', 1) for line in open('/proc/self/status'))
    status = {name: text.strip() for name, text in status.items()}
    caps = {status[name] for name in status if name.startswith('Cap') and name != 'CapBnd'}
    open_fds = []
    for fd in range(1024):
        try: os.fstat(fd); open_fds.append(fd)
        except OSError: pass
    return {
        'caps': caps, 'no_new_privs': status.get('NoNewPrivs', '1'), 'seccomp': status['Seccomp'],
        'groups': status.get('Groups', ''), 'environ': dict(os.environ), 'fds': open_fds,
        'root': 0 in (os.getuid(), os.geteuid(), os.getgid(), os.getegid()),
    }
"""
    # gVisor 20221219 tells neither new privileges nor groups.
    assert await call(sandbox, source) == {
        "caps": {"0" * 16},
        "no_new_privs": "1",
        "seccomp": "2",
        "groups": "",
        "environ": {},
        "fds": [0, 1, 2, 3],
        "root": False,
    }


async def test_the_only_other_process_to_be_seen_is_the_supervisor(sandbox: Sandbox):
    source = """
import os
def f(): return sorted(name for name in os.listdir('/proc') if name.isdigit() and name != str(os.getpid()))
"""

    assert await call(sandbox, source) == ["1"]


async def test_programs_that_run_at_once_have_users_of_their_own(sandbox: Sandbox):
    source = "import os, time\ndef f():\n    time.sleep(0.3)\n    return os.getuid()"

    uids = await asyncio.gather(call(sandbox, source), call(sandbox, source))

    assert len(set(uids)) == 2
    assert min(uids) >= 1 << 30


async def test_nothing_remains_of_an_earlier_program(options: SandboxOptions):
    # Marked in its result and beyond the length of the second one's request.
    first = "def f(): return 'the-earlier-program'\n" + "#" * 10_000 + "the-earlier-program"
    # A frame walk reaches the supervisor's object, a copy from the moment of the fork.
    second = """
import sys
def f():
    frame, found = sys._getframe(), []
    while frame:
        owner = frame.f_locals.get('self')
        found += [bytes(getattr(owner, name).data) for name in ('_body', '_payload') if hasattr(owner, name)]
        frame = frame.f_back
    return len(found), [b'the-ear' + b'lier' in data for data in found]
"""
    sandbox = await open_sandbox(dataclasses.replace(options, slots=1))
    try:
        assert await call(sandbox, first) == "the-earlier-program"
        count, remains = await call(sandbox, second)
    finally:
        await sandbox.close()

    assert count >= 2
    assert not any(remains)
