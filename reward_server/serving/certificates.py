"""TLS whose files may change while the server runs.

The files are read again for each new connection, before its handshake; connections that
are open go on as they began. Files that cannot be used are reported once, and the server
goes on with the last ones that could: a half-written renewal closes no door, and a broken
list of authorities opens none.
"""

import ssl
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import grpc

from reward_server.config import TlsConfig
from reward_server.errors import ConfigurationError

Report = Callable[[str], None]


@dataclass(frozen=True, kw_only=True, slots=True)
class Certificates:
    """What the files hold, in PEM form. `client_ca` is None where no certificate is asked for."""

    certificate: bytes
    key: bytes
    client_ca: bytes | None

    def configuration(self) -> grpc.ServerCertificateConfiguration:
        """Return this in gRPC's form."""
        return grpc.ssl_server_certificate_configuration(
            [(self.key, self.certificate)], root_certificates=self.client_ca
        )


def server_credentials(tls: TlsConfig, report: Report) -> grpc.ServerCredentials | None:
    """Return credentials that follow the files; None where there are none. `report` takes a warning.

    Raises:
        ConfigurationError: the files cannot be used as they are now.
    """
    if tls.certificate is None or tls.key is None:
        return None
    certificate, key = tls.certificate, tls.key
    first = read(certificate, key, tls.client_ca)
    follower = _Follower(first, lambda: read(certificate, key, tls.client_ca), report)
    return grpc.dynamic_ssl_server_credentials(
        first.configuration(),
        follower.changed,  # pyright: ignore[reportArgumentType]  (its stub forgets that None is "no change")
        require_client_authentication=first.client_ca is not None,
    )


def read(certificate: Path, key: Path, client_ca: Path | None) -> Certificates:
    """Read the files, and make sure that they can be used together.

    Raises:
        ConfigurationError: names the file and what is wrong with it.
    """
    found = Certificates(
        certificate=_bytes("tls.certificate", certificate),
        key=_bytes("tls.key", key),
        client_ca=None if client_ca is None else _bytes("tls.client_ca", client_ca),
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        # Without a password of ours, OpenSSL would ask for one at the terminal.
        context.load_cert_chain(certificate, key, password=lambda: b"")
    except (ssl.SSLError, OSError) as error:
        files = f"tls.certificate={str(certificate)!r} and tls.key={str(key)!r}"
        raise ConfigurationError(f"{files} are no certificate and its unencrypted key: {error}") from error
    if found.client_ca is not None:
        try:
            context.load_verify_locations(cadata=found.client_ca.decode("ascii", "replace"))
        except (ssl.SSLError, ValueError) as error:
            raise ConfigurationError(
                f"tls.client_ca={str(client_ca)!r} holds no authority: {error}"
            ) from error
    return found


class _Follower:
    """Asked by gRPC before each handshake, on a thread of gRPC's."""

    def __init__(self, first: Certificates, read_again: Callable[[], Certificates], report: Report) -> None:
        self._current = first
        self._read_again = read_again
        self._report = report
        self._complaint = ""

    def changed(self) -> grpc.ServerCertificateConfiguration | None:
        """Return new certificates if there are any, None to go on with the current ones."""
        try:
            found = self._read_again()
        except ConfigurationError as error:
            if str(error) != self._complaint:
                self._complaint = str(error)
                self._report(f"the certificates in use stay in use: {error}")
            return None
        self._complaint = ""
        if found == self._current:
            return None
        self._current = found
        return found.configuration()


def _bytes(name: str, file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise ConfigurationError(f"{name}={str(file)!r} cannot be read: {error.strerror}") from error
