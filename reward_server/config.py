"""Every knob of the server, read once: flags, or a YAML file read as flags.

A knob has a unit, a default that works and a sentence. What can change a score is in
`scores.ScoringConfig` and is part of the configuration hash.
"""

import difflib
import ipaddress
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, is_dataclass
from pathlib import Path
from typing import Annotated, Literal, cast

import tyro
import yaml

from reward_server.errors import ConfigurationError
from reward_server.scores import ScoringConfig
from sandbox.options import BackendChoice, SandboxOptions

# A self-check takes about two seconds of one slot; it must not crowd out the work it guards.
MIN_SELF_CHECK_EVERY_S = 30.0
# Less would be filled by a single batch of scores.
MIN_CACHE_DIR_MIB = 64


@dataclass(frozen=True, kw_only=True, slots=True)
class QueueConfig:
    """How much waits and how much runs, for each class of cost."""

    workers: int = field(default_factory=lambda: len(os.sched_getaffinity(0)))
    """Worker processes, for graders that take milliseconds of CPU."""
    worker_bound: int = 32_768
    """Samples that may wait for a worker."""
    programs: int = field(default_factory=lambda: len(os.sched_getaffinity(0)))
    """Programs that run in the sandbox at once."""
    program_bound: int = 8_192
    """Samples that may wait for the sandbox."""

    def __post_init__(self) -> None:
        for item in fields(self):
            if getattr(self, item.name) < 1:
                raise ConfigurationError(
                    f"queues.{item.name}={getattr(self, item.name)!r} must be at least 1"
                )


@dataclass(frozen=True, kw_only=True, slots=True)
class TlsConfig:
    """Files in PEM form that protect the channel; none of them means no TLS."""

    certificate: Path | None = None
    """The server's certificate chain."""
    key: Path | None = None
    """The certificate's private key."""
    client_ca: Path | None = None
    """Authorities whose clients are let in; given, every client must show a certificate."""

    def __post_init__(self) -> None:
        if (self.certificate is None) != (self.key is None):
            raise ConfigurationError("tls.certificate and tls.key belong together: give both or none")
        if self.client_ca is not None and self.certificate is None:
            raise ConfigurationError("tls.client_ca needs tls.certificate and tls.key: give all three")


@dataclass(frozen=True, kw_only=True, slots=True)
class ServerConfig:
    """Grades completions over gRPC (reward.v1.RewardService)."""

    listen: str = "127.0.0.1:50051"
    """HOST:PORT to listen on; port 0 takes a free one (see address-file)."""
    address_file: Path | None = None
    """File that gets the real HOST:PORT, written at once and whole when the server is ready."""
    insecure: bool = False
    """Listen off loopback without TLS. Anyone who reaches the port can use the server."""
    metrics_listen: str | None = None
    """HOST:PORT of the status page and /metrics, over HTTP; without it there is neither."""
    metrics_insecure: bool = False
    """Serve those off loopback, to everyone who reaches the port: counts and times, never texts."""
    deadline_s: float = 300.0
    """Seconds for a call that brings no deadline of its own."""
    drain_s: float = 30.0
    """Seconds that calls in flight get to finish after SIGTERM or SIGINT; a second signal ends them."""
    cache_entries: int = 65_536
    """Scores kept in memory so that equal samples are not graded again."""
    cache_dir: Path | None = None
    """Directory that keeps scores beyond a restart (see docs/recording.md); without it none is kept."""
    cache_dir_mib: int = 512
    """Room of the scores in that directory, in MiB; the oldest are dropped."""
    record: Path | None = None
    """Directory that gets every sample and its outcome as Parquet files (see docs/recording.md)."""
    token_file: Path | None = None
    """File whose content every caller must bring as bearer token; without it all who connect are served."""
    stop_on_stdin_eof: bool = False
    """Also stop when standard input ends, so that a child server never outlives its parent."""
    self_check: bool = False
    """Do not serve: run the programs of the self-check, say what came of them, and exit."""
    self_check_every_s: float = 600.0
    """Seconds between self-checks while serving; code is refused when one fails, until one passes."""
    sandbox: Literal["auto", "docker", "bubblewrap"] = "auto"
    """Where programs run: the strongest that withstands its probes, or the one named and no other."""
    sandbox_runtime: str | None = None
    """The Docker Engine's runtime, e.g. runsc for gVisor; without it the engine's default."""
    log_format: Literal["json", "console"] = "json"
    """One JSON object a line, or coloured text for people."""
    scoring: ScoringConfig = field(default_factory=ScoringConfig)
    queues: QueueConfig = field(default_factory=QueueConfig)
    tls: TlsConfig = field(default_factory=TlsConfig)

    def __post_init__(self) -> None:
        split_address(self.listen)
        if self.metrics_listen is not None:
            split_address(self.metrics_listen, "metrics_listen")
        if self.sandbox_runtime is not None and self.sandbox == "bubblewrap":
            raise ConfigurationError("sandbox_runtime is the Docker Engine's: choose sandbox=docker or auto")
        for name in ("deadline_s", "drain_s", "cache_entries"):
            if getattr(self, name) < 0:
                raise ConfigurationError(f"{name}={getattr(self, name)!r} must not be negative")
        if self.cache_dir_mib < MIN_CACHE_DIR_MIB:
            raise ConfigurationError(
                f"cache_dir_mib={self.cache_dir_mib!r} must be at least {MIN_CACHE_DIR_MIB}"
            )
        if not self.self_check_every_s >= MIN_SELF_CHECK_EVERY_S:
            raise ConfigurationError(
                f"self_check_every_s={self.self_check_every_s!r} must be at least {MIN_SELF_CHECK_EVERY_S}"
            )

    def sandbox_options(self, slots: int) -> SandboxOptions:
        """Return where programs run, and how many at once."""
        return SandboxOptions(slots=slots, backend=BackendChoice(self.sandbox), runtime=self.sandbox_runtime)


def split_address(address: str, name: str = "listen") -> tuple[str, int]:
    """Split HOST:PORT; an IPv6 host is in brackets.

    Raises:
        ConfigurationError: there is no host, or the port is no number in [0, 65535].
    """
    host, _, port = address.rpartition(":")
    if not host or not (port.isascii() and port.isdecimal()) or int(port) > 65_535:
        raise ConfigurationError(f"{name}={address!r} is not HOST:PORT, e.g. '127.0.0.1:50051'")
    return host, int(port)


def is_loopback(host: str) -> bool:
    """Say whether only this machine can reach `host`; a name other than localhost counts as outside."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


@dataclass(frozen=True, kw_only=True, slots=True)
class _Arguments:
    config: Path | None = None
    """YAML file with the same keys as the flags; a flag wins over the file."""
    server: Annotated[ServerConfig, tyro.conf.arg(name="")] = field(default_factory=ServerConfig)


def read(arguments: Sequence[str]) -> ServerConfig:
    """Read the flags, and the file that `--config` names before them.

    Raises:
        ConfigurationError: a value is impossible, or the file has a key that is no flag.
        SystemExit: a flag is unknown or malformed, or help was asked for; tyro has said so.
    """
    file = _config_file(arguments)
    from_file = [] if file is None else _flags(_load(file), ServerConfig, prefix="", file=file)
    parsed = tyro.cli(
        _Arguments,
        prog="python -m reward_server",
        description=ServerConfig.__doc__,
        args=[*from_file, *arguments],
    )
    return parsed.server


def _config_file(arguments: Sequence[str]) -> Path | None:
    for index, argument in enumerate(arguments):
        if argument == "--config" and index + 1 < len(arguments):
            return Path(arguments[index + 1])
        if argument.startswith("--config="):
            return Path(argument.removeprefix("--config="))
    return None


def _load(file: Path) -> Mapping[str, object]:
    try:
        content: object = yaml.safe_load(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigurationError(f"config={str(file)!r} cannot be read: {error.strerror}") from error
    except yaml.YAMLError as error:
        raise ConfigurationError(f"config={str(file)!r} is not YAML: {error}") from error
    if not isinstance(content, dict):
        raise ConfigurationError(f"config={str(file)!r} holds no mapping of flags to values")
    return cast("dict[str, object]", content)  # keys that are no strings are refused as unknown


def _flags(values: Mapping[str, object], owner: type, *, prefix: str, file: Path) -> list[str]:
    """Turn a mapping into flags, refusing keys that `owner` does not have."""
    known = {item.name: item.type for item in fields(owner)}
    flags: list[str] = []
    for key, value in values.items():
        if key not in known:
            close = difflib.get_close_matches(str(key), known, n=1)
            hint = f"did you mean {close[0]!r}?" if close else f"known keys: {', '.join(known)}"
            raise ConfigurationError(f"{str(file)!r} has an unknown key {prefix + str(key)!r}; {hint}")
        nested = known[key]
        flag = f"--{prefix}{key}".replace("_", "-")
        if isinstance(nested, type) and is_dataclass(nested) and isinstance(value, dict):
            children = cast("dict[str, object]", value)
            flags += _flags(children, nested, prefix=f"{prefix}{key}.", file=file)
        elif isinstance(value, bool):
            flags.append(flag if value else f"--{prefix}no-{key}".replace("_", "-"))
        else:
            flags += [flag, str(value)]
    return flags
