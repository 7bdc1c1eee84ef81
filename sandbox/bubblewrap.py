"""Containers without an engine: a long-lived bubblewrap jail around the same supervisor.

Nothing of the host is in a jail but shared libraries and this interpreter with its
standard library, all read-only; no network, no other process, nothing
writable. Needs root: programs get a uid of their own, and a user namespace made by an
ordinary user has room for a single one. There is no control group: memory is limited
for each program (RLIMIT_AS), not for the jail.

Jails end with the process that started them, so there is nothing to reap.
"""

import contextlib
import os
import re
import secrets
import shutil
import socket
import subprocess
import sys
import sysconfig
from collections.abc import Generator, Iterable, Mapping
from pathlib import Path

from sandbox.api import SandboxError
from sandbox.sources import placed_files
from sandbox.uids import random_uid

PROGRAM = "bwrap"
LEAST_VERSION = (0, 5)  # the first with --perms
CODE_ROOT = "/opt/assay"
WAIT_SECONDS = 10.0
_MAX_STDERR_BYTES = 2000
_ENVIRONMENT = {"LC_ALL": "C.UTF-8", "TZ": "UTC"}
_LOADER_LINKS = (Path("/lib"), Path("/lib64"))  # to directories of /usr, on all but old systems
_DEVICES = ("/dev/null", "/dev/zero", "/dev/random", "/dev/urandom")


class BubblewrapBackend:
    """Jails on this host. Implements `sandbox.supply.Backend`."""

    def __init__(self, hash_seed: int = 0) -> None:
        self._environment = {"PYTHONHASHSEED": str(hash_seed), **_ENVIRONMENT}

    def start(self) -> "BubblewrapContainer":
        """Start a jail; SandboxError when this host cannot have one."""
        bwrap = require_host()
        name = f"assay-sandbox-{secrets.token_hex(8)}"
        near, far = socket.socketpair()
        stderr = os.memfd_create("stderr")
        with far, _memory_files(placed_files()) as files:
            command = [bwrap, *jail_arguments(files), *supervisor_command(random_uid())]
            try:
                process = subprocess.Popen(
                    command,
                    stdin=far.fileno(),
                    stdout=far.fileno(),
                    stderr=stderr,
                    pass_fds=tuple(files.values()),
                    env=self._environment,
                    start_new_session=True,  # Ctrl-C at a terminal is for the server, which drains
                )
            except OSError as error:
                near.close()
                os.close(stderr)
                raise SandboxError(f"cannot start {bwrap}: {error}") from error
        return BubblewrapContainer(name, process, near, stderr)

    def reap(self, lost: Iterable[str]) -> int:
        """Nothing outlives the process that started it: there is nothing to remove."""
        return 0


def require_host() -> str:
    """Return bubblewrap's path.

    Raises:
        SandboxError: this host cannot run jails; the message says why and what to do.
    """
    bwrap = shutil.which(PROGRAM)
    if bwrap is None:
        raise SandboxError("bubblewrap is not installed (apt-get install bubblewrap)")
    if os.geteuid() != 0:
        raise SandboxError("bubblewrap needs root here: only root can give programs a uid of their own")
    version = host_version(bwrap)
    if version < LEAST_VERSION:
        raise SandboxError(f"bubblewrap {dotted(version)} is too old: {dotted(LEAST_VERSION)} is needed")
    return bwrap


def host_version(bwrap: str) -> tuple[int, ...]:
    """Ask bubblewrap for its version.

    Raises:
        SandboxError: it does not tell.
    """
    try:
        said = subprocess.run([bwrap, "--version"], capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError) as error:
        raise SandboxError(f"{bwrap} does not tell its version: {error}") from error
    return tuple(int(number) for number in re.findall(r"\d+", said))


def dotted(version: tuple[int, ...]) -> str:
    """Write a version as people do."""
    return ".".join(map(str, version))


def jail_arguments(files: Mapping[str, int]) -> list[str]:
    """Return bubblewrap's arguments for a jail with `files`: path in the jail -> open file of its content."""
    return [
        *("--unshare-ipc", "--unshare-net", "--unshare-pid", "--unshare-uts", "--unshare-cgroup-try"),
        # The parent is the thread that starts the jail: one of asyncio's, which live as long as the loop.
        *("--die-with-parent", "--as-pid-1", "--hostname", "sandbox"),
        *("--cap-drop", "ALL"),
        *("--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID", "--cap-add", "CAP_KILL"),
        *_system_mounts(),
        *("--proc", "/proc"),
        *(argument for device in _DEVICES for argument in ("--dev-bind", device, device)),
        *("--perms", "0700", "--dir", CODE_ROOT),
        *(part for path, fd in files.items() for part in ("--perms", "0600", "--file", str(fd), path)),
        *("--remount-ro", "/", "--chdir", "/", "--"),
    ]


def _system_mounts() -> list[str]:
    """Mount the loader's directories and this interpreter's library, without installed packages."""
    arguments: list[str] = []
    for directory in _LOADER_LINKS:
        if directory.is_symlink():
            arguments += ["--symlink", str(directory.readlink()), str(directory)]
    library = sysconfig.get_path("stdlib", vars={"installed_base": sys.base_prefix})
    readable = [
        *(directory for directory in _LOADER_LINKS if not directory.is_symlink()),
        Path("/usr/lib64"),
        Path("/usr/lib", sysconfig.get_config_var("MULTIARCH") or "-"),
        *Path(sys.base_prefix, "lib").glob("libpython3*.so*"),
        Path(library),
        Path(_interpreter()),
    ]
    present = [path for path in readable if path.exists()]
    # bubblewrap would give them the mode of what they are made for; an interpreter may lie in /root
    parents = sorted({parent for path in present for parent in path.parents[:-1]})
    arguments += [part for path in parents for part in ("--perms", "0755", "--dir", str(path))]
    arguments += [part for path in present for part in ("--ro-bind", str(path), str(path))]
    for packages in Path(library).glob("*-packages"):
        arguments += ["--tmpfs", str(packages), "--remount-ro", str(packages)]
    return arguments


def _interpreter() -> str:
    """Return the interpreter that a virtual environment is made from."""
    return f"{sys.base_prefix}/bin/python{sys.version_info.major}.{sys.version_info.minor}"


def supervisor_command(uid: int) -> list[str]:
    """Return what runs in the jail: this interpreter, without any environment it may be in."""
    return [_interpreter(), "-s", "-S", "-P", "-B", CODE_ROOT, str(uid)]


@contextlib.contextmanager
def _memory_files(contents: Mapping[str, bytes]) -> Generator[dict[str, int]]:
    """Hold contents in nameless files: path under CODE_ROOT -> descriptor."""
    with contextlib.ExitStack() as stack:
        files: dict[str, int] = {}
        for name, content in contents.items():
            fd = os.memfd_create(name)
            stack.callback(os.close, fd)
            with os.fdopen(fd, "wb", closefd=False) as file:
                file.write(content)
            os.lseek(fd, 0, os.SEEK_SET)
            files[f"{CODE_ROOT}/{name}"] = fd
        yield files


class BubblewrapContainer:
    """One jail. Implements `sandbox.worker.Container`."""

    def __init__(self, name: str, process: subprocess.Popen[bytes], near: socket.socket, stderr: int) -> None:
        self.name = name
        self._process = process
        self._near = near
        self._stderr = stderr

    def socket(self) -> socket.socket:
        """Return a socket of the caller's own, connected to stdin and stdout."""
        return self._near.dup()

    def unframe(self, data: bytes) -> bytes:
        """Nothing to take off: the socket carries standard output alone."""
        return data

    def last_words(self) -> str:
        """Return the end of what the supervisor, or bubblewrap, wrote on standard error."""
        if self._stderr < 0:
            return ""
        size = os.fstat(self._stderr).st_size
        start = max(0, size - _MAX_STDERR_BYTES)
        return os.pread(self._stderr, _MAX_STDERR_BYTES, start).decode("utf-8", "replace").strip()

    def remove(self) -> None:
        """Kill the jail: its first process, and with it every other."""
        self._near.close()
        self._process.kill()
        try:
            self._process.wait(WAIT_SECONDS)
        except subprocess.TimeoutExpired as error:
            raise SandboxError(f"{self.name} did not die in {WAIT_SECONDS:g} s") from error
        if self._stderr >= 0:
            os.close(self._stderr)
            self._stderr = -1
