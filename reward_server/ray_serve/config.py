"""Every knob of the service on Ray, read once; the server's own are below `--server`."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

import tyro

from reward_server.config import QueueConfig, ServerConfig
from reward_server.errors import ConfigurationError

APPLICATION = "assay"


@dataclass(frozen=True, kw_only=True, slots=True)
class Scale:
    """Between how many replicas Ray may choose."""

    fewest: int = 1
    most: int = 4

    def __post_init__(self) -> None:
        if not 1 <= self.fewest <= self.most:
            raise ConfigurationError(f"fewest={self.fewest} and most={self.most}: give 1 <= fewest <= most")


@dataclass(frozen=True, kw_only=True, slots=True)
class RayConfig:
    """Serves the rewards on a Ray cluster (reward.v1.RewardService through Ray Serve's gRPC ingress)."""

    cluster: str | None = None
    """Address of the Ray cluster; without it RAY_ADDRESS, or the one on this machine, or a new one."""
    port: int = 9000
    """Port of the gRPC ingress, on every interface: Ray cannot narrow it, nor give it TLS."""
    http_port: int = 8000
    """Port of the HTTP proxy that Ray starts beside it, on loopback; nothing is served there."""
    ingress: Literal["EveryNode", "HeadOnly"] = "EveryNode"
    """Which nodes listen on the port."""
    insecure: bool = False
    """Say that the net around the ingress is safe: it speaks plaintext, off loopback."""
    rewards: Scale = field(default_factory=Scale)
    """Servers, for all that is not a program."""
    programs: Scale = field(default_factory=Scale)
    """Sandboxes."""
    slots: int = 1
    """Programs that one sandbox runs at once, and CPUs that Ray gives it."""
    sandbox_resource: str | None = None
    """Ray resource of the nodes that may run sandboxes, of which each takes 1; without it any node."""
    patience_s: float = 30.0
    """Seconds a program waits for a sandbox, beyond its own limits, before it has a SANDBOX failure; give
    more than the start of a machine takes where Ray's autoscaler starts them."""
    server: ServerConfig = field(default_factory=lambda: ServerConfig(queues=QueueConfig(workers=1)))
    """The server in each replica; Ray gives it as many CPUs as it has workers."""

    def __post_init__(self) -> None:
        if self.slots < 1:
            raise ConfigurationError(f"slots={self.slots} must be at least 1")
        if not self.patience_s > 0:
            raise ConfigurationError(f"patience_s={self.patience_s:g} must be above 0 seconds")

    def replica(self) -> ServerConfig:
        """Return the configuration of the server in a replica: on loopback, with all sandboxes behind it.

        Twice as many programs are on their way as can run, so that no slot waits for the next one to travel.
        """
        old = self.server.queues
        queues = QueueConfig(
            workers=old.workers,
            worker_bound=old.worker_bound,
            programs=2 * self.slots * self.programs.most,
            program_bound=old.program_bound,
        )
        return replace(self.server, listen="127.0.0.1:0", queues=queues)


def read(arguments: Sequence[str]) -> RayConfig:
    """Read the flags.

    Raises:
        ConfigurationError: a value is impossible, or the plaintext ingress was not agreed to.
        SystemExit: a flag is unknown or malformed, or help was asked for; tyro has said so.
    """
    config = tyro.cli(
        RayConfig, prog="python -m reward_server.ray_serve", description=RayConfig.__doc__, args=arguments
    )
    if not config.insecure:
        raise ConfigurationError(
            f"Ray's ingress listens on every interface at port {config.port}, without TLS: keep other "
            "machines away from it and say --insecure, or run plain replicas (docs/operations.md)"
        )
    return config
