"""Certificates, authorities and tokens that change while the server runs."""

import os
import shutil
import ssl
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from reward_client.api import RewardClientError, RewardUnavailableError
from reward_client.client import RewardClient
from reward_client.local import LocalServer
from reward_client.security import Security
from tests.conftest import missing

WAIT_S = 30.0
NEW = ("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2")


NAMES = ("-addext", "subjectAltName=IP:127.0.0.1")


def openssl(directory: Path, *arguments: str) -> None:
    subprocess.run(("openssl", *arguments), cwd=directory, check=True, capture_output=True)


def issue(pki: Path, authority: str, name: str) -> None:
    """Sign a certificate `name` by `authority`, which is made if it is new."""
    if not (pki / f"{authority}.pem").exists():
        openssl(
            pki, *NEW, "-subj", f"/CN={authority}", "-keyout", f"{authority}.key", "-out", f"{authority}.pem"
        )
    signed = (
        "-CA",
        f"{authority}.pem",
        "-CAkey",
        f"{authority}.key",
        "-addext",
        "subjectAltName=IP:127.0.0.1",
    )
    openssl(pki, *NEW, "-subj", f"/CN={name}", *signed, "-keyout", f"{name}.key", "-out", f"{name}.pem")


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two authorities; each has signed a certificate of a server and of a client."""
    if shutil.which("openssl") is None:
        missing("no openssl on this machine to make certificates with")
    directory = tmp_path_factory.mktemp("pki")
    for authority in ("first", "second"):
        for owner in ("server", "client"):
            issue(directory, authority, f"{authority}-{owner}")
    return directory


def place(pki: Path, name: str, live: Path) -> None:
    """Put a certificate and its key where the server looks, each file at once and whole."""
    for suffix in ("key", "pem"):
        part = live.with_suffix(".part")
        shutil.copy(pki / f"{name}.{suffix}", part)
        part.replace(live.with_suffix(f".{suffix}"))


def flags(live: Path, *more: str) -> Sequence[str]:
    return ("--tls.certificate", f"{live}.pem", "--tls.key", f"{live}.key", *more)


def shown(address: str) -> str:
    """The certificate that a new connection is shown, in PEM form."""
    host, port = address.split(":")
    return ssl.get_server_certificate((host, int(port)))


def eventually(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WAIT_S
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)


def trusting(pki: Path, authority: str, client: str | None = None) -> Security:
    certificate, key = (pki / f"{client}.pem", pki / f"{client}.key") if client else (None, None)
    return Security(authority=pki / f"{authority}.pem", certificate=certificate, key=key)


def test_a_renewed_certificate_is_shown_to_new_connections_and_old_ones_go_on(
    pki: Path, tmp_path: Path
) -> None:
    live = tmp_path / "live"
    place(pki, "first-server", live)
    with (
        LocalServer(tmp_path / "log", flags(live)) as server,
        RewardClient(server.address, security=trusting(pki, "first")) as early,
    ):
        assert early.list_rewards(timeout_s=WAIT_S)
        place(pki, "second-server", live)

        assert shown(server.address) == (pki / "second-server.pem").read_text()
        assert early.list_rewards(timeout_s=WAIT_S)
        with RewardClient(server.address, security=trusting(pki, "second")) as late:
            assert late.list_rewards(timeout_s=WAIT_S)


@pytest.mark.parametrize("broken", ["half", "other key", "gone", "no pem"])
def test_files_that_cannot_be_used_leave_the_old_certificate_in_use_with_one_warning(
    pki: Path, tmp_path: Path, broken: str
) -> None:
    live = tmp_path / "live"
    place(pki, "first-server", live)
    certificate, key = live.with_suffix(".pem"), live.with_suffix(".key")
    log = tmp_path / "log"
    with LocalServer(log, flags(live)) as server:
        match broken:
            case "half":
                certificate.write_bytes(certificate.read_bytes()[:100])
            case "other key":
                shutil.copy(pki / "second-server.key", key)
            case "gone":
                key.unlink()
            case _:
                certificate.write_bytes(os.urandom(500))

        for _ in range(3):
            assert shown(server.address) == (pki / "first-server.pem").read_text()
        with RewardClient(server.address, security=trusting(pki, "first")) as client:
            assert client.list_rewards(timeout_s=WAIT_S)
        assert log.read_text().count("the certificates in use stay in use") == 1

        place(pki, "second-server", live)
        assert shown(server.address) == (pki / "second-server.pem").read_text()


def test_a_changed_list_of_authorities_decides_who_may_connect_from_then_on(
    pki: Path, tmp_path: Path
) -> None:
    live, authorities = tmp_path / "live", tmp_path / "authorities.pem"
    place(pki, "first-server", live)
    shutil.copy(pki / "first.pem", authorities)
    log = tmp_path / "log"
    with (
        LocalServer(log, flags(live, "--tls.client-ca", str(authorities))) as server,
        RewardClient(server.address, security=trusting(pki, "first", "first-client")) as early,
    ):
        assert early.list_rewards(timeout_s=WAIT_S)
        stranger = trusting(pki, "first", "second-client")
        with RewardClient(server.address, security=stranger) as client, pytest.raises(RewardUnavailableError):
            client.list_rewards(timeout_s=1.0)

        shutil.copy(pki / "second.pem", authorities)
        with RewardClient(server.address, security=stranger) as client:
            assert client.list_rewards(timeout_s=WAIT_S)
        assert early.list_rewards(timeout_s=WAIT_S)
        former = trusting(pki, "first", "first-client")
        with RewardClient(server.address, security=former) as client, pytest.raises(RewardUnavailableError):
            client.list_rewards(timeout_s=1.0)

        authorities.write_text("")  # broken: the second authority stays, and no door opens
        with RewardClient(server.address, security=stranger) as client:
            assert client.list_rewards(timeout_s=WAIT_S)
        nobody = trusting(pki, "first")
        with RewardClient(server.address, security=nobody) as client, pytest.raises(RewardUnavailableError):
            client.list_rewards(timeout_s=1.0)
        assert "holds no authority" in log.read_text()


def test_certificates_that_cannot_be_used_at_the_start_are_one_sentence(pki: Path, tmp_path: Path) -> None:
    live = tmp_path / "live"
    place(pki, "first-server", live)
    shutil.copy(pki / "second-server.key", live.with_suffix(".key"))

    with (
        pytest.raises(RewardUnavailableError, match=r"ended with code 2.*no certificate and its"),
        LocalServer(tmp_path / "log", flags(live)),
    ):
        pass


def admitted(address: str, token: str) -> bool:
    with RewardClient(address, security=Security(token=token)) as client:
        try:
            return bool(client.list_rewards(timeout_s=WAIT_S))
        except RewardClientError as error:
            return "UNAUTHENTICATED" not in str(error)


def test_a_token_is_exchanged_without_a_restart_and_two_are_good_meanwhile(tmp_path: Path) -> None:
    file, log = tmp_path / "token", tmp_path / "log"
    file.write_text("old\n")
    file.chmod(0o600)
    with LocalServer(log, ("--token-file", str(file))) as server:
        assert admitted(server.address, "old")
        file.write_text("old\nnew\n")
        assert admitted(server.address, "old")
        assert admitted(server.address, "new")
        file.write_text("new\n")
        assert not admitted(server.address, "old")
        assert admitted(server.address, "new")

        file.write_text("\n")  # an empty file opens no door, and locks no one out
        assert not admitted(server.address, "")
        assert admitted(server.address, "new")
        file.unlink()
        assert admitted(server.address, "new")
    assert log.read_text().count("the tokens in use stay in use") == 1
    assert "can be read by others" not in log.read_text()


def test_a_token_file_that_others_can_read_is_reported(tmp_path: Path) -> None:
    file, log = tmp_path / "token", tmp_path / "log"
    file.write_text("secret\n")
    file.chmod(0o644)
    with LocalServer(log, ("--token-file", str(file))):
        pass

    assert "can be read by others" in log.read_text()
    assert "secret" not in log.read_text()
