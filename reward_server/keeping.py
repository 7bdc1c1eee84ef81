"""What the server keeps beyond its own life, where it is asked to: scores, and a recording."""

import hashlib
import platform
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from importlib.metadata import distributions, version

from reward_server.cache.disk import DiskCache, open_disk_cache
from reward_server.config import ServerConfig
from reward_server.recording.recorder import Recorder, open_recorder
from reward_server.recording.rows import about
from reward_server.telemetry import logger
from sandbox.sources import image_tag


@dataclass(frozen=True, kw_only=True, slots=True)
class Kept:
    """None where the server was not asked to keep it, or cannot keep scores."""

    scores: DiskCache | None = None
    recorder: Recorder | None = None


@contextmanager
def open_kept(config: ServerConfig) -> Generator[Kept]:
    """Open both for the block, and write what waits at its end.

    Raises:
        ConfigurationError: the directory of the recording cannot be written.
    """
    with ExitStack() as stack:
        scores = stack.enter_context(
            open_disk_cache(
                config.cache_dir,
                room=config.cache_dir_mib << 20,
                salt=surroundings(config) if config.cache_dir is not None else b"",
                report=lambda reason: logger().warning("disk_cache", reason=reason),
            )
        )
        recorder = stack.enter_context(
            open_recorder(
                config.record,
                about=about(version("assay-rl"), config.scoring.digest()),
                report=logger().warning,
            )
        )
        yield Kept(scores=scores, recorder=recorder)


def surroundings(config: ServerConfig) -> bytes:
    """Hash what scores depend on beside sources and configuration, whose hash is in each reward's version.

    That is the interpreter, every installed distribution, and what programs run in.
    """
    digest = hashlib.blake2b(digest_size=16)
    installed = sorted(f"{each.name}=={each.version}" for each in distributions())
    for part in (platform.python_version(), image_tag(), config.sandbox, config.sandbox_runtime, *installed):
        digest.update(f"{part}\0".encode())
    return digest.digest()
