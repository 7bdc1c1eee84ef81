"""The channel off loopback: TLS, certificates of clients, bearer tokens."""

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from reward_client.api import RewardClientError, RewardRequestError, RewardUnavailableError
from reward_client.client import RewardClient
from reward_client.local import LocalServer
from reward_client.security import Security
from tests.conftest import missing

WAIT_S = 30.0


def openssl(directory: Path, *arguments: str) -> None:
    subprocess.run(("openssl", *arguments), cwd=directory, check=True, capture_output=True)


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An authority that has signed one certificate for the server and one for a client."""
    if shutil.which("openssl") is None:
        missing("no openssl on this machine to make certificates with")
    directory = tmp_path_factory.mktemp("pki")
    new = ("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2")
    openssl(directory, *new, "-subj", "/CN=authority", "-keyout", "authority.key", "-out", "authority.pem")
    for name in ("server", "client"):
        signed = ("-CA", "authority.pem", "-CAkey", "authority.key", "-addext", "subjectAltName=IP:127.0.0.1")
        files = ("-keyout", f"{name}.key", "-out", f"{name}.pem")
        openssl(directory, *new, "-subj", f"/CN={name}", *signed, *files)
    return directory


def server_flags(pki: Path, *more: str) -> Sequence[str]:
    return ("--tls.certificate", str(pki / "server.pem"), "--tls.key", str(pki / "server.key"), *more)


def test_tls_is_served_to_those_who_trust_the_authority(pki: Path, tmp_path: Path) -> None:
    with LocalServer(tmp_path / "log", server_flags(pki)) as server:
        with RewardClient(server.address, security=Security(authority=pki / "authority.pem")) as client:
            assert client.list_rewards(timeout_s=WAIT_S)
        with RewardClient(server.address) as plain, pytest.raises(RewardUnavailableError):
            plain.list_rewards(timeout_s=1.0)


def test_a_server_that_asks_for_certificates_serves_no_one_without(pki: Path, tmp_path: Path) -> None:
    flags = server_flags(pki, "--tls.client-ca", str(pki / "authority.pem"))
    known = Security(authority=pki / "authority.pem", certificate=pki / "client.pem", key=pki / "client.key")
    with LocalServer(tmp_path / "log", flags) as server:
        with RewardClient(server.address, security=known) as client:
            assert client.list_rewards(timeout_s=WAIT_S)
        unknown = Security(authority=pki / "authority.pem")
        with (
            RewardClient(server.address, security=unknown) as client,
            pytest.raises(RewardUnavailableError),
        ):
            client.list_rewards(timeout_s=1.0)


def test_off_loopback_tls_is_enough(pki: Path, tmp_path: Path) -> None:
    flags = server_flags(pki, "--listen", "0.0.0.0:0")
    with LocalServer(tmp_path / "log", flags) as server:
        assert server.address.startswith("0.0.0.0:")


@pytest.mark.parametrize("token", ["", "wrong", "secret "])
def test_a_call_without_the_token_is_refused_and_not_sent_again(tmp_path: Path, token: str) -> None:
    file = tmp_path / "token"
    file.write_text("secret\n")
    with LocalServer(tmp_path / "log", ("--token-file", str(file))) as server:
        with RewardClient(server.address, security=Security(token="secret")) as client:
            assert client.list_rewards(timeout_s=WAIT_S)
        with (
            RewardClient(server.address, security=Security(token=token)) as client,
            pytest.raises(RewardClientError, match="UNAUTHENTICATED"),
        ):
            client.list_rewards(timeout_s=WAIT_S)

    assert "secret" not in (tmp_path / "log").read_text()


@pytest.mark.parametrize("content", [None, "", " \n"])
def test_a_token_file_without_a_token_does_not_open_the_door(tmp_path: Path, content: str | None) -> None:
    file = tmp_path / "token"
    if content is not None:
        file.write_text(content)

    with (
        pytest.raises(RewardUnavailableError, match=r"ended with code 2.*token_file"),
        LocalServer(tmp_path / "log", ("--token-file", str(file))),
    ):
        pass


def test_a_clients_own_certificate_needs_its_key_and_an_authority(tmp_path: Path) -> None:
    with pytest.raises(RewardRequestError, match="belong together"):
        Security(certificate=tmp_path).credentials()
    with pytest.raises(RewardRequestError, match="give the authority too"):
        Security(certificate=tmp_path, key=tmp_path).credentials()
    with pytest.raises(RewardRequestError, match="cannot be read"):
        Security(authority=tmp_path / "absent.pem").credentials()
