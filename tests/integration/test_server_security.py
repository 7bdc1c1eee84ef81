"""The channel off loopback: TLS, certificates of clients, bearer tokens."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from reward_client.api import RewardClientError, RewardRequestError, RewardUnavailableError
from reward_client.client import RewardClient
from reward_client.local import LocalServer
from reward_client.security import Security
from tests.conftest import missing
from trainer.__main__ import open_scorer
from trainer.reporting.progress import Progress
from trainer.run_files.run_directory import RunDirectory

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


@pytest.fixture(scope="module")
def guarded(pki: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The environment of a caller whom a server lets in that asks for all that a server can ask for."""
    directory = tmp_path_factory.mktemp("guarded")
    token = directory / "token"
    token.write_text("secret\n")
    flags = server_flags(pki, "--tls.client-ca", str(pki / "authority.pem"), "--token-file", str(token))
    with LocalServer(directory / "log", flags) as server:
        yield {
            "REWARD_ADDRESS": server.address,
            "REWARD_AUTHORITY": str(pki / "authority.pem"),
            "REWARD_CERTIFICATE": str(pki / "client.pem"),
            "REWARD_KEY": str(pki / "client.key"),
            "REWARD_TOKEN_FILE": str(token),
        }


def test_the_check_of_data_passes_a_guarded_door(guarded: dict[str, str]) -> None:
    command = (sys.executable, "-m", "tasks", "check", "--datasets", "strategyqa")

    checked = subprocess.run(command, env=os.environ | guarded, capture_output=True, text=True, check=False)

    assert checked.returncode == 0, checked.stderr
    assert "184         184         0  1.000" in checked.stdout


def test_an_evaluation_passes_a_guarded_door(guarded: dict[str, str], tmp_path: Path) -> None:
    row = {"prompt": "Is it?", "reward": "boolean", "reference": {"value": True}}
    (tmp_path / "rows.jsonl").write_text(json.dumps(row) + "\n")
    completion = {"example_id": "rows/test/1", "completion": "<reasoning>r</reasoning><answer>yes</answer>"}
    (tmp_path / "completions.jsonl").write_text(json.dumps(completion) + "\n")
    command = (sys.executable, "-m", "evals", "run", "--completions", "completions.jsonl")

    evaluated = subprocess.run(
        (*command, "--suite", "rows=rows.jsonl", "--fail-under", "1"),
        env=os.environ | guarded,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )

    assert evaluated.returncode == 0, evaluated.stderr


def test_the_trainer_passes_a_guarded_door(
    guarded: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in guarded.items():
        monkeypatch.setenv(name, value)

    with Progress() as progress, open_scorer(RunDirectory(tmp_path, latest=None), progress) as client:
        assert client.list_rewards(timeout_s=WAIT_S)


def test_the_command_line_of_the_client_passes_a_guarded_door(guarded: dict[str, str]) -> None:
    flags = [
        *("--address", guarded["REWARD_ADDRESS"], "--authority", guarded["REWARD_AUTHORITY"]),
        *("--certificate", guarded["REWARD_CERTIFICATE"], "--key", guarded["REWARD_KEY"]),
        *("--token-file", guarded["REWARD_TOKEN_FILE"]),
    ]

    ended = subprocess.run((sys.executable, "-m", "reward_client", *flags, "list"), check=False)

    assert ended.returncode == 0


def test_a_token_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "bytes").write_bytes(b"\xff\xfe")

    with pytest.raises(RewardRequestError, match=r"absent' cannot be read"):
        Security.from_environment({"REWARD_TOKEN_FILE": str(tmp_path / "absent")})
    with pytest.raises(RewardRequestError, match="holds no token"):
        Security.from_environment({"REWARD_TOKEN_FILE": str(tmp_path / "bytes")})


def test_an_empty_environment_asks_for_a_plain_channel() -> None:
    assert Security.from_environment({"REWARD_AUTHORITY": "", "HOME": "/"}) == Security()
