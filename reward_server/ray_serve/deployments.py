"""The two deployments: whole servers for the cheap rewards, sandboxes for programs.

They scale apart: `Rewards` with calls in flight, `Programs` with programs in flight.
"""
# Ray's decorators and handles are untyped, so strict checking would only report Ray.
# pyright: basic

import asyncio
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack
from typing import Any

from ray import serve
from ray.serve.handle import DeploymentHandle

from reward_server.config import ServerConfig
from reward_server.ray_serve.config import APPLICATION, RayConfig, Scale
from reward_server.ray_serve.ingress import Call
from reward_server.ray_serve.relay import Answer, RayContext, Relay
from reward_server.ray_serve.remote_sandbox import Fault, RemoteSandbox
from reward_server.registry import (
    BUILT_IN,
    WORKER_TASKS,
    Resources,
    build,
    installed_extras,
    with_extras,
)
from reward_server.resources import open_workers
from reward_server.sandboxes.guarded import GuardedSandbox
from reward_server.sandboxes.late import LateSandbox
from reward_server.server import running
from reward_server.serving.listening import listen
from reward_server.serving.stopping import Stop
from reward_server.telemetry import configure
from sandbox.api import Limits, Program, Run, SandboxError
from sandbox.opening import open_sandbox

# A replica of `Rewards` is scaled by calls of a batch each; most of their time is spent waiting.
CALLS_TARGET = 8
CALLS_BOUND = 64
# The event loop that everything here is tested on; Ray would take uvloop, whose transports are others.
_ENVIRONMENT = {"RAY_USE_UVLOOP": "0"}
# A proxy that is not ready in time is killed, and the start fails with it; Ray's 5 s are few on busy cores.
_PROXY_READY_S = "30"


class Rewards:
    """The ingress: a whole server on loopback in each replica; its programs run in `Programs`.

    Ray calls `Score`, `ScoreStream`, `ListRewards` and `Check` by the names of the RPCs.
    """

    async def __init__(  # type: ignore[misc]
        self, config: ServerConfig, programs: DeploymentHandle, patience_s: float
    ) -> None:
        configure(config.log_format)
        async with AsyncExitStack() as opened:
            workers = await opened.enter_async_context(open_workers(config.queues, WORKER_TASKS))
            sandbox = RemoteSandbox(programs, config.queues.programs, patience_s)
            factories = with_extras(BUILT_IN, installed_extras())
            rewards = build(factories, Resources(workers=workers, sandbox=sandbox), config.scoring)
            server, address = listen(config)
            await opened.enter_async_context(
                running(server, config, rewards, Stop(), sandbox=sandbox, workers=workers)
            )
            self._relay = Relay(address)
            opened.push_async_callback(self._relay.close)
            self._opened = opened.pop_all()

    async def __del__(self) -> None:
        await self._opened.aclose()

    async def Score(self, call: Call, grpc_context: RayContext) -> Answer:  # noqa: N802
        return await self._relay.unary("Score", call, grpc_context)

    async def ListRewards(self, call: Call, grpc_context: RayContext) -> Answer:  # noqa: N802
        return await self._relay.unary("ListRewards", call, grpc_context)

    async def Check(self, call: Call, grpc_context: RayContext) -> Answer:  # noqa: N802
        return await self._relay.unary("Check", call, grpc_context)

    async def ScoreStream(self, requests: Any, grpc_context: RayContext) -> AsyncGenerator[Answer]:  # noqa: N802
        async for answer in self._relay.stream(requests, grpc_context):
            yield answer


class Programs:
    """A sandbox; unhealthy while it is refused, so that Ray starts it anew."""

    async def __init__(self, config: ServerConfig, slots: int) -> None:  # type: ignore[misc]
        configure(config.log_format)
        self._sandbox = GuardedSandbox(LateSandbox(open_sandbox(config.sandbox_options(slots)), slots))
        self._watching = asyncio.create_task(self._sandbox.watch(config.self_check_every_s))

    async def __del__(self) -> None:
        self._watching.cancel()
        await asyncio.gather(self._watching, return_exceptions=True)
        await self._sandbox.close()

    async def check_health(self) -> None:
        if self._sandbox.refusal is not None:
            raise SandboxError(self._sandbox.refusal)

    async def check(self) -> Fault | None:
        try:
            await self._sandbox.check()
        except SandboxError as error:
            return Fault(str(error))
        return None

    async def run(self, program: Program, limits: Limits) -> Run | Fault:
        try:
            return await self._sandbox.run(program, limits)
        except SandboxError as error:
            return Fault(str(error))


def application(config: RayConfig) -> serve.Application:
    """Bind the two together."""
    programs = serve.deployment(
        name="Programs",
        autoscaling_config=_autoscaling(config.programs, target=2 * config.slots),
        max_ongoing_requests=4 * config.slots,
        ray_actor_options=_actor(config.slots, config.sandbox_resource),
    )(Programs)
    rewards = serve.deployment(
        name="Rewards",
        autoscaling_config=_autoscaling(config.rewards, target=CALLS_TARGET),
        max_ongoing_requests=CALLS_BOUND,
        graceful_shutdown_timeout_s=config.server.drain_s,
        ray_actor_options=_actor(config.server.queues.workers, None),
    )(Rewards)
    return rewards.bind(config.replica(), programs.bind(config.server, config.slots), config.patience_s)


def deploy(config: RayConfig) -> None:
    """Start Serve with our ingress on the cluster that ray is connected to, and run the application."""
    serve.start(
        proxy_location=config.ingress,
        http_options={"host": "127.0.0.1", "port": config.http_port},
        grpc_options={
            "port": config.port,
            "grpc_servicer_functions": ["reward_server.ray_serve.ingress.add_reward_service"],
        },
        controller_options={
            "runtime_env": {"env_vars": {"RAY_SERVE_PROXY_READY_CHECK_TIMEOUT_S": _PROXY_READY_S}}
        },
    )
    # Without a route the proxies do not learn of the application at all.
    serve.run(application(config), name=APPLICATION, route_prefix=f"/{APPLICATION}")


def _autoscaling(scale: Scale, *, target: int) -> dict[str, Any]:
    return {
        "min_replicas": scale.fewest,
        "max_replicas": scale.most,
        "target_ongoing_requests": target,
    }


def _actor(cpus: int, resource: str | None) -> dict[str, Any]:
    return {
        "num_cpus": cpus,
        "resources": {resource: 1} if resource else {},
        "runtime_env": {"env_vars": _ENVIRONMENT},
    }
