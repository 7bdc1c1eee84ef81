"""What protects the channel on this side: TLS, a certificate of one's own, a bearer token."""

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


def _read(file: Path | None) -> bytes | None:
    try:
        return None if file is None else file.read_bytes()
    except OSError as error:
        raise RewardRequestError(f"{str(file)!r} cannot be read: {error.strerror}") from error
