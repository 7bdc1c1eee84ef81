"""Assembles the server and runs it: listen, be ready, drain, stop.

The one place where the parts meet. Everything started here is owned by the exit stack
of `serve` and ends with it.
"""

import asyncio
import os
from collections.abc import Mapping
from contextlib import AsyncExitStack
from importlib.metadata import version
from pathlib import Path
from typing import Any, Protocol

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_health.v1._async import HealthServicer  # pyright: ignore[reportMissingTypeStubs]
from grpc_reflection.v1alpha import reflection

from reward_server import registry, telemetry
from reward_server.api import CostClass
from reward_server.cache import ScoreCache
from reward_server.config import ServerConfig, is_loopback, split_address
from reward_server.errors import ConfigurationError, GraderLostError
from reward_server.flights import Flights
from reward_server.guard import Calls
from reward_server.lanes import Lane
from reward_server.late_sandbox import LateSandbox
from reward_server.registry import Factory, Resources
from reward_server.scorer import Scorer
from reward_server.service import MAX_MESSAGE_BYTES, SERVICE, RewardService
from reward_server.stopping import Stop
from reward_server.workers.pool import WorkerPool
from sandbox.api import Sandbox, SandboxError
from sandbox.opening import SandboxOptions, open_sandbox

# Up to here an oversized message is read, to be answered with INVALID_ARGUMENT; gRPC itself
# refuses larger ones with RESOURCE_EXHAUSTED.
RECEIVE_BYTES = 4 * MAX_MESSAGE_BYTES
# Clients may ping this often to notice a dead connection; gRPC's default cuts them off.
MIN_PING_INTERVAL_MS = 10_000
# For answers that are on their way when the last call has ended.
FLUSH_S = 0.5


async def serve(config: ServerConfig, factories: Mapping[str, Factory], tasks: Mapping[str, str]) -> None:
    """Serve until a signal, or the end of standard input where that was asked for.

    Raises:
        ConfigurationError: the address cannot be listened on, or two rewards clash.
    """
    stop = Stop()
    stop.on_signals()
    async with AsyncExitStack() as stack:
        server = grpc.aio.server(options=_options())
        address = _bind(server, config)
        if config.stop_on_stdin_eof:
            await stack.enter_async_context(stop.on_stdin_eof())
        resources = await _open_resources(config, tasks, stack)
        calls = Calls()
        service = await _assemble(config, registry.build(factories, resources, config.scoring), calls, stack)
        server.add_generic_rpc_handlers((service.handler(),))
        doctor = await _add_standard_services(server)
        await server.start()
        if config.address_file is not None:
            _write_whole(config.address_file, address)
        telemetry.logger().info("serving", address=address, pid=os.getpid())
        await stop.requested.wait()
        await doctor.enter_graceful_shutdown()
        await _drain(calls, stop, config.drain_s)
        await server.stop(0 if stop.forced.is_set() else FLUSH_S)
    telemetry.logger().info("stopped")


async def _open_resources(config: ServerConfig, tasks: Mapping[str, str], stack: AsyncExitStack) -> Resources:
    """Start workers and sandbox in the background: what needs them waits, the rest is served at once."""
    workers = await stack.enter_async_context(WorkerPool(tasks))
    warming = asyncio.create_task(_warm(workers, config.queues.workers))
    stack.push_async_callback(_end, warming)
    slots = config.queues.programs
    sandbox = LateSandbox(open_sandbox(SandboxOptions(slots=slots)), slots)
    stack.push_async_callback(sandbox.close)
    checking = asyncio.create_task(_check(sandbox))
    stack.push_async_callback(_end, checking)
    return Resources(workers=workers, sandbox=sandbox)


async def _assemble(
    config: ServerConfig, rewards: registry.Registry, calls: Calls, stack: AsyncExitStack
) -> RewardService:
    queues = config.queues
    scorer = Scorer(
        rewards,
        scoring=config.scoring,
        lanes={
            CostClass.WORKER: Lane("worker", slots=queues.workers, bound=queues.worker_bound),
            CostClass.SANDBOX: Lane("sandbox", slots=queues.programs, bound=queues.program_bound),
        },
        cache=ScoreCache(config.cache_entries),
        flights=await stack.enter_async_context(Flights()),
        on_defect=telemetry.log_defect,
    )
    return RewardService(
        scorer,
        rewards,
        calls,
        deadline_s=config.deadline_s,
        server_version=version("assay-rl"),
        configuration_hash=config.scoring.digest(),
    )


class Doctor(Protocol):
    """The part of grpc_health's servicer that is used here; the package has no types."""

    async def set(self, service: str, status: int) -> None: ...

    async def enter_graceful_shutdown(self) -> None: ...


async def _add_standard_services(server: grpc.aio.Server) -> Doctor:
    doctor: Doctor = HealthServicer()
    health_pb2_grpc.add_HealthServicer_to_server(doctor, server)  # pyright: ignore[reportUnknownMemberType]
    for name in ("", SERVICE):
        await doctor.set(name, health_pb2.HealthCheckResponse.SERVING)
    health_name: str = health_pb2.DESCRIPTOR.services_by_name["Health"].full_name
    reflection.enable_server_reflection((SERVICE, health_name, reflection.SERVICE_NAME), server)
    return doctor


def _options() -> tuple[tuple[str, int], ...]:
    return (
        # Two servers on one port would share its connections without anyone noticing.
        ("grpc.so_reuseport", 0),
        ("grpc.max_receive_message_length", RECEIVE_BYTES),
        ("grpc.http2.min_recv_ping_interval_without_data_ms", MIN_PING_INTERVAL_MS),
    )


def _bind(server: grpc.aio.Server, config: ServerConfig) -> str:
    """Listen; returns HOST:PORT with the real port.

    Raises:
        ConfigurationError: the address is taken, does not exist, or is not safe to listen on.
    """
    host, _ = split_address(config.listen)
    if not is_loopback(host) and not config.insecure:
        raise ConfigurationError(
            f"listen={config.listen!r} can be reached from other machines and there is no TLS here; "
            "listen on 127.0.0.1, or say --insecure if the network itself is safe"
        )
    try:
        port = server.add_insecure_port(config.listen)
    except RuntimeError as error:
        raise ConfigurationError(
            f"cannot listen on {config.listen!r}: the port is in use or the address is not on this machine; "
            "stop the other server or choose another port (0 takes a free one)"
        ) from error
    return f"{host}:{port}"


async def _drain(calls: Calls, stop: Stop, drain_s: float) -> None:
    """Refuse new calls and wait for those in flight, for a while or until forced."""
    telemetry.logger().info("draining")
    drained = asyncio.create_task(calls.drain())
    forced = asyncio.create_task(stop.forced.wait())
    await asyncio.wait((drained, forced), timeout=drain_s, return_when=asyncio.FIRST_COMPLETED)
    await _end(drained)
    await _end(forced)


async def _warm(workers: WorkerPool, size: int) -> None:
    try:
        await workers.start(size)
    except GraderLostError as error:
        telemetry.logger().error("no_workers", reason=str(error))


async def _end(task: asyncio.Task[Any]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def _check(sandbox: Sandbox) -> None:
    try:
        await sandbox.check()
    except SandboxError as error:
        consequence = "code is answered with SANDBOX failures, the rest is served"
        telemetry.logger().warning("no_sandbox", reason=str(error), consequence=consequence)
    else:
        telemetry.logger().info("sandbox_ready", backend=sandbox.name)


def _write_whole(file: Path, text: str) -> None:
    """Write a file that a reader sees whole or not at all."""
    part = file.with_name(f"{file.name}.{os.getpid()}.part")
    part.write_text(text + "\n", encoding="utf-8")
    part.replace(file)
