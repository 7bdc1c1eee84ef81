"""Flags and files: what is read, what wins, and what is refused with a hint."""

from pathlib import Path

import pytest

from reward_server.config import ServerConfig, is_loopback, read, split_address
from reward_server.errors import ConfigurationError
from sandbox.options import BackendChoice


def write(directory: Path, text: str) -> str:
    file = directory / "server.yaml"
    file.write_text(text)
    return str(file)


def test_without_flags_the_defaults_listen_on_loopback_only() -> None:
    config = read([])

    assert config == ServerConfig()
    assert is_loopback(split_address(config.listen)[0])
    assert not config.insecure


def test_a_file_holds_the_same_keys_as_the_flags_and_a_flag_wins(tmp_path: Path) -> None:
    text = (
        "listen: 127.0.0.1:7\ninsecure: true\nstop_on_stdin_eof: false\n"
        "scoring:\n  format_weight: 0.5\n  task_weight: 0.5\nqueues:\n  worker_bound: 7\n"
    )

    config = read([f"--config={write(tmp_path, text)}", "--listen", "127.0.0.1:8"])

    assert config.listen == "127.0.0.1:8"
    assert config.insecure
    assert config.scoring.format_weight == 0.5
    assert config.queues.worker_bound == 7


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("lisen: 127.0.0.1:7", "unknown key 'lisen'; did you mean 'listen'"),
        ("queues:\n  wrokers: 7", "unknown key 'queues.wrokers'; did you mean 'workers'"),
        ("zzz: 1", "unknown key 'zzz'; known keys: listen"),
        ("- listen", "holds no mapping"),
        ("listen: [", "is not YAML"),
        ("queues:\n  workers: 0", "queues.workers=0 must be at least 1"),
        ("self_check_every_s: 0", "self_check_every_s=0.0 must be at least 30"),
        ("cache_dir_mib: 1", "cache_dir_mib=1 must be at least 64"),
        ("drain_s: -1", "drain_s=-1.0 must not be negative"),
        ("listen: 50051", "listen='50051' is not HOST:PORT"),
        ("tls:\n  key: a.pem", "give both or none"),
        ("tls:\n  client_ca: a.pem", "give all three"),
    ],
)
def test_a_wrong_file_is_refused_with_a_hint(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said.replace(".", r"\.").replace("[", r"\[")):
        read(["--config", write(tmp_path, text)])


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"absent\.yaml' cannot be read: No such file"):
        read(["--config", str(tmp_path / "absent.yaml")])


def test_a_flag_that_does_not_exist_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        read(["--lisen", "127.0.0.1:7"])

    assert ended.value.code == 2
    assert "--listen" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        ("127.0.0.1", True),
        ("127.8.9.1", True),
        ("localhost", True),
        ("[::1]", True),
        ("0.0.0.0", False),
        ("[::]", False),
        ("10.0.0.1", False),
        ("rewards.example", False),
        # Would be a way around the check if names were resolved at another time than they are bound.
        ("127.0.0.1.example", False),
    ],
)
def test_only_what_stays_on_this_machine_is_loopback(host: str, loopback: bool) -> None:
    assert is_loopback(host) == loopback


@pytest.mark.parametrize("address", ["", ":1", "host", "host:", "host:x", "host:-1", "host:65536", "host:٣"])
def test_an_address_needs_a_host_and_a_port(address: str) -> None:
    with pytest.raises(ConfigurationError, match="HOST:PORT"):
        split_address(address)


@pytest.mark.parametrize(
    ("arguments", "backend", "runtime"),
    [
        ([], BackendChoice.AUTO, None),
        (["--sandbox", "bubblewrap"], BackendChoice.BUBBLEWRAP, None),
        (["--sandbox", "docker", "--sandbox-runtime", "runsc"], BackendChoice.DOCKER, "runsc"),
    ],
)
def test_the_sandbox_is_the_one_named(
    arguments: list[str], backend: BackendChoice, runtime: str | None
) -> None:
    options = read(arguments).sandbox_options(slots=3)

    assert (options.slots, options.backend, options.runtime) == (3, backend, runtime)


def test_a_runtime_of_the_engine_is_refused_where_no_engine_is_used() -> None:
    with pytest.raises(ConfigurationError, match="sandbox_runtime"):
        read(["--sandbox", "bubblewrap", "--sandbox-runtime", "runsc"])
