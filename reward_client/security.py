"""What protects the channel on this side: TLS, a certificate of one's own, a bearer token."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import grpc

from reward_client.api import RewardRequestError


@dataclass(frozen=True, kw_only=True, slots=True)
class Security:
    """Files in PEM form, and the token. The default is a plain channel, for loopback.

    `authority` is who signs the server's certificate; `certificate` and `key` are this
    client's own, for servers that ask for one.
    """

    authority: Path | None = None
    certificate: Path | None = None
    key: Path | None = None
    token: str = ""

    @staticmethod
    def from_environment(environment: Mapping[str, str]) -> "Security":
        """Read what stands beside REWARD_ADDRESS; each is the path of a file, and none is needed.

        REWARD_AUTHORITY    who signs the server's certificate: with TLS
        REWARD_CERTIFICATE  this client's own, with REWARD_KEY
        REWARD_TOKEN_FILE   holds the server's bearer token

        Raises:
            RewardRequestError: the file of the token cannot be read.
        """

        def file(name: str) -> Path | None:
            return Path(environment[name]) if environment.get(name) else None

        return Security(
            authority=file("REWARD_AUTHORITY"),
            certificate=file("REWARD_CERTIFICATE"),
            key=file("REWARD_KEY"),
            token=read_token(file("REWARD_TOKEN_FILE")),
        )

    def credentials(self) -> grpc.ChannelCredentials | None:
        """Return what a secure channel needs, or None for a plain one.

        Raises:
            RewardRequestError: a file cannot be read, or one of the pair is missing.
        """
        if (self.certificate is None) != (self.key is None):
            raise RewardRequestError("certificate and key belong together: give both or none")
        if self.authority is None:
            if self.certificate is not None:
                raise RewardRequestError("a client certificate needs TLS: give the authority too")
            return None
        return grpc.ssl_channel_credentials(_read(self.authority), _read(self.key), _read(self.certificate))

    def metadata(self) -> tuple[tuple[str, str], ...]:
        """Return what every call carries."""
        return (("authorization", f"Bearer {self.token}"),) if self.token else ()


def read_token(file: Path | None) -> str:
    """Return the token that a file holds; none without a file.

    Raises:
        RewardRequestError: it cannot be read.
    """
    try:
        return (_read(file) or b"").decode().strip()
    except UnicodeDecodeError as error:
        raise RewardRequestError(f"{str(file)!r} holds no token: {error}") from error


def _read(file: Path | None) -> bytes | None:
    try:
        return None if file is None else file.read_bytes()
    except OSError as error:
        raise RewardRequestError(f"{str(file)!r} cannot be read: {error.strerror}") from error
