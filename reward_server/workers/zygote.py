"""The zygote, seen from the parent: one warm process from which workers are forked.

Importing and warming up computer algebra costs seconds of CPU, a fork milliseconds: so a
killed worker is replaced at once, and a flood of answers that eat their budget costs no
more than those budgets. The server itself is never forked, for it has threads.

Both sides speak in messages over a socket pair that keeps their borders. A fork is asked
for together with the worker's end of its own socket pair.
"""

import asyncio
import contextlib
import json
import os
import socket
import sys
from asyncio.subprocess import DEVNULL, Process
from collections.abc import Mapping, Sequence
from typing import Any

from reward_server.errors import GraderLostError
from reward_server.workers.channel import Channel
from reward_server.workers.process import ChildProcess
from reward_server.workers.zygote_main import MAX_MESSAGE_BYTES

# Importing and warming up a computer-algebra system on a busy machine.
START_SECONDS = 60.0


class Zygote:
    """A process that has every task imported, and forks workers."""

    def __init__(self, process: Process, control: socket.socket) -> None:
        self._process = process
        self._control = control
        self._turn = asyncio.Lock()
        self.lost = False

    @classmethod
    async def start(cls, tasks: Mapping[str, str]) -> "Zygote":
        """Start the process and wait until it has imported and warmed up every task.

        Raises:
            GraderLostError: it could not be started.
        """
        control, its_control = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        control.setblocking(False)
        try:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-B", "-m", "reward_server.workers.zygote_main", json.dumps(dict(tasks))),
                stdin=its_control.fileno(),
                stdout=DEVNULL,
                stderr=DEVNULL,
                start_new_session=True,  # Ctrl-C at a terminal is for the server, which drains
                # Nothing of the server's environment: it may hold credentials.
                env={"PYTHONPATH": os.pathsep.join(sys.path), "LC_ALL": "C.UTF-8"},
            )
        except OSError as error:
            control.close()
            raise GraderLostError(
                f"cannot start the process that workers are forked from: {error}"
            ) from error
        finally:
            its_control.close()
        zygote = cls(process, control)
        try:
            hello = await zygote._receive()
        except BaseException:
            await asyncio.shield(zygote.close())
            raise
        if "ready" not in hello:
            await zygote.close()
            raise GraderLostError(f"workers cannot load their tasks: {hello.get('broken')}")
        return zygote

    async def fork(self, *, low_priority: bool = False) -> ChildProcess:
        """Return a new warm worker; one of low priority leaves the larger part of the CPUs to others.

        Raises:
            GraderLostError: there is none to be had; `lost` says whether the zygote is to blame.
        """
        ours, its = socket.socketpair()
        with its:
            try:
                reply = await self._ask({"fork": True, "low_priority": low_priority}, [its.fileno()])
            except BaseException:
                ours.close()
                raise
        if "pid" not in reply:
            ours.close()
            raise GraderLostError(f"no worker: {reply.get('broken')}")
        child = ChildProcess(reply["pid"], await Channel.open(ours, f"worker {reply['pid']}"))
        try:
            async with asyncio.timeout(START_SECONDS):
                await child.ready()
        except BaseException as error:
            await asyncio.shield(self.end(child))
            if isinstance(error, TimeoutError):
                raise GraderLostError(f"worker {child.pid} was not ready in {START_SECONDS:g} s") from error
            raise
        return child

    async def end(self, child: ChildProcess) -> None:
        """Kill a worker and wait until the kernel has let go of it."""
        child.kill()
        child.close()
        # A zygote that is gone has taken its workers along; the kernel clears them away.
        with contextlib.suppress(GraderLostError):
            await self._ask({"reap": child.pid})

    async def close(self) -> None:
        """Kill the process, and with it every worker that is left."""
        self.lost = True
        # It may have ended by itself.
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()
        await self._process.wait()
        self._control.close()

    async def _ask(self, message: Mapping[str, object], descriptors: Sequence[int] = ()) -> dict[str, Any]:
        # Shielded: a caller that leaves in the middle must not leave its reply to the next one.
        exchange = asyncio.ensure_future(self._exchange(message, descriptors))
        exchange.add_done_callback(lambda ended: ended.cancelled() or ended.exception())  # it may be alone
        return await asyncio.shield(exchange)

    async def _exchange(self, message: Mapping[str, object], descriptors: Sequence[int]) -> dict[str, Any]:
        async with self._turn:
            if self.lost:
                raise GraderLostError("the process that workers are forked from is gone")
            try:
                socket.send_fds(self._control, [json.dumps(message).encode()], descriptors)
            except OSError as error:
                self.lost = True
                raise GraderLostError("the process that workers are forked from died") from error
            return await self._receive()

    async def _receive(self) -> dict[str, Any]:
        try:
            async with asyncio.timeout(START_SECONDS):
                message = await asyncio.get_running_loop().sock_recv(self._control, MAX_MESSAGE_BYTES)
        except (OSError, TimeoutError) as error:
            self.lost = True
            raise GraderLostError("the process that workers are forked from does not answer") from error
        if not message:
            self.lost = True
            raise GraderLostError("the process that workers are forked from died")
        return json.loads(message)
