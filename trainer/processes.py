"""Several processes of one run, through JAX's coordination service (`jax.distributed`).

Values travel by the service with which JAX's processes find each other, and not as a
collective of the devices: rewards arrive in threads, in any order, and may take minutes.
The port has no protection of its own, neither here nor for JAX: it belongs into a private network.

A process that fails tells the others, which end too. One that is killed can tell nobody: the
others end at their next collective, where the broken connection shows, or when JAX misses
its heartbeats (100 s).
"""

import contextlib
import dataclasses
import io
import os
import pickle
import socket
import sys
import threading
import time
import traceback
from collections.abc import Callable
from enum import Enum
from types import TracebackType
from typing import Any, NoReturn, TypeVar

import jax
from jax._src import distributed  # JAX has no public name for its client
from jax.experimental import multihost_utils

from policy.errors import PolicyError
from reward_client.api import RewardClientError
from tasks.errors import TasksError
from trainer.cluster import Cluster
from trainer.config import ConfigurationError
from trainer.options import ClusterOptions

AUTOMATIC = "auto"
GRACE_S = 10.0  # for the others to end by themselves, when one has ended
_LAST_S = 3.0  # the leader ends behind the others: with it goes the service that they talk through
_DAY_S = 86_400.0
_SLICE_MS = 1000  # a wait in C++ that Ctrl-C can end
_T = TypeVar("_T")

# What goes wrong in one process for all of them; anything else is a mistake of the program.
_SHARED_ERRORS = (ConfigurationError, PolicyError, RewardClientError, TasksError)


class Processes(Cluster):
    """One of several processes, joined by JAX's coordination service."""

    def __init__(self, client: Any, *, number: int, count: int) -> None:
        self.number = number
        self.count = count
        self._client = client
        self._shares = 0
        self._checks = 0
        self._leaving = False
        threading.Thread(target=self._watch, name="cluster", daemon=True).start()

    def later(self, make: Callable[[], _T]) -> Callable[[], _T]:
        self._shares += 1
        key = f"assay/share/{self._shares}"
        return (lambda: self._give(key, make)) if self.is_leader else (lambda: self._receive(key))

    def stops(self, asked: bool) -> bool:
        if asked and not self.is_leader:
            self._client.key_value_set_bytes("assay/stop", b"1", allow_overwrite=True)
        return self.share(lambda: asked or self._read("assay/stop") is not None)

    def agree(self, problem: str) -> None:
        self._checks += 1
        key = f"assay/check/{self._checks}/"
        if not self.is_leader:
            self._client.key_value_set_bytes(f"{key}{self.number}", problem.encode())

        def first() -> str:
            others = (self._wait(f"{key}{number}").decode() for number in range(1, self.count))
            return next(filter(None, [problem, *others]), "")

        super().agree(self.share(first))

    def leave(self, status: int, message: str = "") -> NoReturn:
        sys.stdout.flush()
        sys.stderr.flush()
        if status:
            self._leaving = True
            self._announce(message)
        met = self._meet(timeout_s=self._grace_s if status else _DAY_S)
        self._leaving = True
        if met:
            jax.distributed.shutdown()
        # JAX's own way out waits for processes that may be gone, and threads that wait in its client
        # would abort the interpreter's.
        os._exit(status if met else status or 1)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None or isinstance(error, SystemExit):
            return
        traceback.print_exception(error)
        what = f"{type(error).__name__}: {str(error).partition(chr(10))[0]}"
        self._say(f"ends with {what}; if a connection broke, another process ended first and says why")
        self.leave(1, what)

    def _give(self, key: str, make: Callable[[], _T]) -> _T:
        try:
            made = make()
        except _SHARED_ERRORS as error:
            self._client.key_value_set_bytes(key, pickle.dumps((False, error)))
            raise
        self._client.key_value_set_bytes(key, pickle.dumps((True, made)))
        return made

    def _receive(self, key: str) -> Any:
        data = self._wait(key)
        if self._client.key_value_increment(f"{key}/read", 1) == self.count - 1:
            self._client.key_value_delete(key)  # and what lies below it
        good, made = _Reader(io.BytesIO(data)).load()
        if good:
            return made
        raise made

    def _wait(self, key: str) -> bytes:
        while (data := self._read(key, wait=True)) is None:
            pass
        return data

    def _read(self, key: str, *, wait: bool = False) -> bytes | None:
        """Reads a value; None where it is not there, or did not come within a slice of waiting."""
        try:
            if wait:
                return self._client.blocking_key_value_get_bytes(key, _SLICE_MS)
            return self._client.key_value_try_get_bytes(key)
        except jax.errors.JaxRuntimeError as error:
            if str(error).startswith(("DEADLINE_EXCEEDED", "NOT_FOUND")):
                return None
            raise

    def _announce(self, message: str) -> None:
        """Tells the others that this process ends; the first to do so is heard."""
        # Another was first, or the leader is gone, and with it everybody.
        with contextlib.suppress(jax.errors.JaxRuntimeError):
            self._client.key_value_set_bytes("assay/ended", f"{self.number} {message}".encode())

    @property
    def _grace_s(self) -> float:
        return GRACE_S + (_LAST_S if self.is_leader else 0.0)

    def _meet(self, *, timeout_s: float) -> bool:
        try:
            self._client.wait_at_barrier("assay/end", int(1000 * timeout_s))
        except jax.errors.JaxRuntimeError:
            return False
        return True

    def _watch(self) -> None:
        """Ends this process when another has ended, wherever it waits for that one."""
        try:
            while (said := self._read("assay/ended", wait=True)) is None:
                if self._leaving:
                    return
            number, _, message = said.decode().partition(" ")
            reason = f"process {number} ended: {message}"
            time.sleep(self._grace_s)
        except jax.errors.JaxRuntimeError as error:
            reason = f"process 0 is gone ({str(error).splitlines()[0]})"
        if not self._leaving:
            self._say(f"ends, because {reason}")
            sys.stderr.flush()
            os._exit(1)

    def _say(self, text: str) -> None:
        sys.stderr.write(f"cluster: process {self.number} of {self.count} {text}\n")


def connect(options: ClusterOptions) -> Cluster:
    """Joins the processes of the run; must come before anything that uses a device.

    Raises:
        ConfigurationError: this is no cluster that JAX knows, or its devices do not reach each other.
    """
    if options.process_id == 0 and options.coordinator != AUTOMATIC and _listens(options.coordinator):
        raise ConfigurationError(
            f"cluster: something listens at {options.coordinator} already: is process 0 running twice? Take "
            "another port"
        )
    came = threading.Event()
    threading.Thread(target=_give_up, args=(options, came), name="connecting", daemon=True).start()
    # JAX's own limit aborts the process without a word of ours.
    limit = options.connect_s + 60
    try:
        if options.coordinator == AUTOMATIC:
            jax.distributed.initialize(initialization_timeout=limit)
        else:
            jax.distributed.initialize(
                options.coordinator,
                options.processes,
                options.process_id,
                initialization_timeout=limit,
            )
    except (RuntimeError, ValueError) as error:
        raise ConfigurationError(
            f"cluster: JAX cannot join the processes: {error}: name them with --cluster.coordinator "
            "HOST:PORT, --cluster.processes and --cluster.process-id"
        ) from error
    finally:
        came.set()
    state = distributed.global_state
    if jax.process_count() != state.num_processes:
        raise ConfigurationError(
            f"cluster: {state.num_processes} processes met, but JAX's {jax.default_backend()} devices are "
            f"of {jax.process_count()}"
        )
    try:
        # On CPU, processes have 30 s to come to their first collective: not enough where one compiles before.
        multihost_utils.sync_global_devices("assay")
    except (jax.errors.JaxRuntimeError, ValueError) as error:
        raise ConfigurationError(f"cluster: the devices do not reach each other: {error}") from error
    return Processes(state.client, number=state.process_id, count=state.num_processes)


def _give_up(options: ClusterOptions, came: threading.Event) -> None:
    """Ends the process with a sentence when the others do not come in time: JAX would wait in C++."""
    if came.wait(options.connect_s):
        return
    where = options.coordinator
    if options.process_id == 0 or where == AUTOMATIC or _listens(where):
        reason = (
            f"not all processes came to {where} within {options.connect_s} s: start every one of 0 to N-1 "
            "once, with the same --cluster.processes N"
        )
    else:
        reason = (
            f"nothing listens at {where} after {options.connect_s} s: is process 0 there, and no firewall "
            "between?"
        )
    sys.stderr.write(f"cluster: {reason}\n")
    sys.stderr.flush()
    os._exit(1)


def _listens(address: str) -> bool:
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=3.0).close()
    except OSError:
        return False
    return True


class _Reader(pickle.Unpickler):
    """Reads plain values, and records, enums and errors of this project: nothing that acts when made."""

    def find_class(self, module: str, name: str) -> Any:
        package = module.partition(".")[0]
        if package in {"evals", "policy", "reward_client", "tasks", "trainer"}:
            found = super().find_class(module, name)
            record = isinstance(found, type) and issubclass(found, tuple | Enum | Exception)
            if record or dataclasses.is_dataclass(found):
                return found
        elif package == "numpy" and name in {"dtype", "scalar"}:  # of which its numbers consist
            return super().find_class(module, name)
        raise pickle.UnpicklingError(f"{module}.{name} is no plain value")
