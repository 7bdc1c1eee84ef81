"""Assembles the server and runs it: be ready, drain, stop.

The one place where the parts meet. Whatever is started here is owned by a context
manager here and ends with it.
"""

import asyncio
import os
from collections.abc import AsyncGenerator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, nullcontext
from importlib.metadata import version

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_health.v1._async import HealthServicer  # pyright: ignore[reportMissingTypeStubs]
from grpc_reflection.v1alpha import reflection

from reward_server.cache.memory import ScoreCache
from reward_server.config import ServerConfig
from reward_server.errors import GraderLostError
from reward_server.keeping import Kept, open_kept
from reward_server.observability.parts import Parts
from reward_server.observability.watching import watching
from reward_server.registry import Factory, Registry, build
from reward_server.resources import lanes_of, open_resources
from reward_server.sandboxes.health import Doctor, report
from reward_server.scoring.flights import Flights
from reward_server.scoring.scorer import Scorer
from reward_server.scoring.spread import Spread
from reward_server.serving import collecting
from reward_server.serving.guard import Calls
from reward_server.serving.listening import listen, protection, warn_of_security, write_address
from reward_server.serving.service import SERVICE, RewardService
from reward_server.serving.stopping import Stop
from reward_server.serving.tokens import read_tokens
from reward_server.telemetry import log_defect, logger
from reward_server.workers.pool import WorkerPool
from sandbox.api import Sandbox

# For answers that are on their way when the last call has ended.
FLUSH_S = 0.5

_Status = health_pb2.HealthCheckResponse


async def serve(config: ServerConfig, factories: Mapping[str, Factory], tasks: Mapping[str, str]) -> None:
    """Serve until a signal, or the end of standard input where that was asked for.

    Raises:
        ConfigurationError: the address cannot be listened on, or two rewards clash.
    """
    stop = Stop()
    stop.on_signals()
    server, address = listen(config)
    async with (
        stop.on_stdin_eof() if config.stop_on_stdin_eof else nullcontext(),
        open_resources(config, tasks) as resources,
        running(
            server,
            config,
            build(factories, resources, config.scoring),
            stop,
            sandbox=resources.sandbox,
            workers=resources.workers,
        ),
    ):
        collecting.settle()
        if config.address_file is not None:
            write_address(config.address_file, address)
        logger().info("serving", address=address, pid=os.getpid(), **protection(config))
        await stop.requested.wait()
    logger().info("stopped")


@asynccontextmanager
async def running(
    server: grpc.aio.Server,
    config: ServerConfig,
    rewards: Registry,
    stop: Stop,
    *,
    sandbox: Sandbox | None = None,
    workers: WorkerPool | None = None,
) -> AsyncGenerator[None]:
    """Answer calls inside the block; at its end say NOT_SERVING, drain, and stop.

    The health of `sandbox`, where one is given, is served beside the server's own.
    """
    async with AsyncExitStack() as stack:
        kept = stack.enter_context(open_kept(config))  # closed last: what lands late is still kept
        spread = None
        if workers is not None:
            spread = await stack.enter_async_context(Spread(workers, config.queues.workers))
        flights = await stack.enter_async_context(Flights())
        parts = Parts(
            rewards=rewards,
            lanes=lanes_of(config.queues),
            cache=ScoreCache(config.cache_entries, kept.scores),
            flights=flights,
            workers=workers,
            sandbox=sandbox,
            stopping=stop.requested.is_set,
        )
        observer = await stack.enter_async_context(watching(config, parts))
        calls = Calls(read_tokens(config.token_file, warn_of_security), observer)
        service = _assemble(config, parts, calls, kept, spread)
        server.add_generic_rpc_handlers((service.handler(),))
        doctor = await _add_standard_services(server)
        await _say(doctor, _Status.SERVING if workers is None else _Status.NOT_SERVING)
        await server.start()
        background = [asyncio.create_task(collecting.collect_in_idleness(calls.none_open))]
        if workers is not None:
            background.append(asyncio.create_task(_await_workers(workers, doctor)))
        if sandbox is not None:
            background.append(asyncio.create_task(report(sandbox, doctor)))
        try:
            yield
            await doctor.enter_graceful_shutdown()
            await _drain(calls, stop, config.drain_s)
        finally:
            for task in background:
                task.cancel()
            await asyncio.gather(*background, return_exceptions=True)
            await server.stop(0 if stop.forced.is_set() else FLUSH_S)


def _assemble(
    config: ServerConfig, parts: Parts, calls: Calls, kept: Kept, spread: Spread | None
) -> RewardService:
    scorer = Scorer(
        parts.rewards,
        scoring=config.scoring,
        lanes=parts.lanes,
        cache=parts.cache,
        flights=parts.flights,
        on_defect=log_defect,
        spread=spread,
        observer=calls.observer,
    )
    return RewardService(
        scorer,
        parts.rewards,
        calls,
        deadline_s=config.deadline_s,
        server_version=version("assay-rl"),
        configuration_hash=config.scoring.digest(),
        recorder=kept.recorder,
    )


async def _add_standard_services(server: grpc.aio.Server) -> Doctor:
    doctor: Doctor = HealthServicer()
    health_pb2_grpc.add_HealthServicer_to_server(doctor, server)  # pyright: ignore[reportUnknownMemberType]
    health_name: str = health_pb2.DESCRIPTOR.services_by_name["Health"].full_name
    reflection.enable_server_reflection((SERVICE, health_name, reflection.SERVICE_NAME), server)
    return doctor


async def _say(doctor: Doctor, status: int) -> None:
    for name in ("", SERVICE):
        await doctor.set(name, status)


async def _await_workers(workers: WorkerPool, doctor: Doctor) -> None:
    """Say SERVING once they are warm or given up, so that a rollout waits; calls are answered meanwhile."""
    try:
        await workers.ready()
    except GraderLostError as error:
        consequence = "what needs a worker is answered with GRADER failures, the rest is served"
        logger().error("no_workers", reason=str(error), consequence=consequence)
    else:
        logger().info("workers_ready")
    await _say(doctor, _Status.SERVING)


async def _drain(calls: Calls, stop: Stop, drain_s: float) -> None:
    """Refuse new calls and wait for those in flight, for a while or until forced."""
    logger().info("draining")
    drained = asyncio.create_task(calls.drain())
    forced = asyncio.create_task(stop.forced.wait())
    await asyncio.wait((drained, forced), timeout=drain_s, return_when=asyncio.FIRST_COMPLETED)
    drained.cancel()
    forced.cancel()
    await asyncio.gather(drained, forced, return_exceptions=True)
