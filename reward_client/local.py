"""A reward server of one's own: a child process on a free port of loopback.

For trainers, evaluations and tests that need no shared server. Standard library only.
The child stops with this process even when that is killed: its standard input ends.
"""

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from reward_client.api import RewardUnavailableError

START_S = 60.0
STOP_S = 15.0
TAIL_CHARS = 2_000


class LocalServer:
    """`python -m reward_server` as a child, ready inside the `with` block.

    `log` is the file its output is appended to; `arguments` are further flags of the server.
    """

    def __init__(self, log: Path, arguments: Sequence[str] = ()) -> None:
        self._log = log
        self._arguments = tuple(arguments)
        self._process: subprocess.Popen[bytes] | None = None
        self._address = ""

    @property
    def address(self) -> str:
        """HOST:PORT, once the server is ready."""
        assert self._address, "the server is not running"
        return self._address

    @property
    def pid(self) -> int:
        """Process id of the running server."""
        assert self._process is not None, "the server is not running"
        return self._process.pid

    def __enter__(self) -> Self:
        """Start the server and wait until it is ready.

        Raises:
            RewardUnavailableError: it ended or was not ready in time; the message has its last words.
        """
        with tempfile.TemporaryDirectory(prefix="reward-server-") as directory:
            address_file = Path(directory) / "address"
            self._process = self._start(address_file)
            try:
                self._address = self._wait_ready(self._process, address_file)
            except BaseException:
                self._stop(self._process)
                raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process is not None:
            self._stop(self._process)

    def kill(self) -> None:
        """Kill the server and all it started, as a crash would; for tests of what survives it."""
        os.killpg(self.pid, signal.SIGKILL)
        assert self._process is not None
        self._process.wait()

    def _start(self, address_file: Path) -> "subprocess.Popen[bytes]":
        command = (sys.executable, "-m", "reward_server", "--listen", "127.0.0.1:0")
        options = ("--address-file", str(address_file), "--stop-on-stdin-eof")
        self._log.parent.mkdir(parents=True, exist_ok=True)
        with self._log.open("ab") as log:
            return subprocess.Popen(
                (*command, *options, *self._arguments),
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                # An interrupt at the terminal is for the parent, who still needs rewards to end well.
                start_new_session=True,
            )

    def _wait_ready(self, process: "subprocess.Popen[bytes]", address_file: Path) -> str:
        deadline = time.monotonic() + START_S
        while not address_file.exists():
            if process.poll() is not None:
                raise RewardUnavailableError(
                    f"the reward server ended with code {process.returncode}; {self._last_words()}"
                )
            if time.monotonic() > deadline:
                raise RewardUnavailableError(
                    f"the reward server was not ready within {START_S:g} s; {self._last_words()}"
                )
            time.sleep(0.02)
        return address_file.read_text(encoding="utf-8").strip()

    def _last_words(self) -> str:
        text = self._log.read_text(encoding="utf-8", errors="replace")[-TAIL_CHARS:].strip()
        return f"the end of {str(self._log)!r}: {text or 'it is empty'}"

    def _stop(self, process: "subprocess.Popen[bytes]") -> None:
        process.terminate()
        try:
            process.wait(timeout=STOP_S)
        except subprocess.TimeoutExpired:
            # The whole group: the server had no time to end its workers.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        if process.stdin is not None:
            process.stdin.close()
