"""What a caller may choose about the sandbox: where programs run, and how many at once."""

from dataclasses import dataclass
from enum import Enum

MAX_HASH_SEED = 4_294_967_295  # CPython's


class BackendChoice(Enum):
    """Where programs run."""

    AUTO = "auto"  # the strongest that passes its self-check: Docker, then bubblewrap
    DOCKER = "docker"
    BUBBLEWRAP = "bubblewrap"


@dataclass(frozen=True, kw_only=True, slots=True)
class SandboxOptions:
    """Where programs run, and how many at once."""

    slots: int | None = None  # None: one per CPU this process may use
    backend: BackendChoice = BackendChoice.AUTO
    docker_host: str | None = None  # None: DOCKER_HOST, or the local socket
    runtime: str | None = None  # the engine's, e.g. "runsc"; None: its default. Docker alone has them
    hash_seed: int = 0  # PYTHONHASHSEED of all programs: the order of sets of text

    def __post_init__(self) -> None:
        if self.slots is not None and self.slots < 1:
            raise ValueError(f"slots must be at least 1, not {self.slots}")
        if not 0 <= self.hash_seed <= MAX_HASH_SEED:
            raise ValueError(f"hash_seed must be from 0 to {MAX_HASH_SEED}, not {self.hash_seed}")
        if self.runtime is not None and self.backend is BackendChoice.BUBBLEWRAP:
            raise ValueError(f"runtime={self.runtime!r} is Docker's: choose the backend docker")

    def backends(self) -> tuple[BackendChoice, ...]:
        """Return what may be used, the strongest first; who asks for a runtime wants nothing weaker."""
        if self.backend is not BackendChoice.AUTO:
            return (self.backend,)
        if self.runtime is not None:
            return (BackendChoice.DOCKER,)
        return (BackendChoice.DOCKER, BackendChoice.BUBBLEWRAP)
