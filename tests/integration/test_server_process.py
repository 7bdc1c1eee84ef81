"""The server as a process: flags, signals, its port, its end."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest

from reward_client.api import MathReference, Outcome, RewardUnavailableError, Sample, Score
from reward_client.client import RewardClient
from reward_client.local import LocalServer
from tests.slow_extra import install

WAIT_S = 30.0
# Long enough for a busy machine to put a call in flight, and short enough to see it fail.
CALL_S = 8.0


@pytest.fixture(autouse=True)
def slow_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install("slow", tmp_path / "site", monkeypatch)


def slow(seconds: float, sample_id: str = "s") -> Sample:
    completion = f"<reasoning>r</reasoning><answer>{seconds}</answer>"
    return Sample(
        sample_id=sample_id,
        reward="slow",
        prompt="",
        completion=completion,
        reference=MathReference(answer="1"),
    )


def run(*arguments: str) -> "subprocess.CompletedProcess[str]":
    command = (sys.executable, "-m", "reward_server", *arguments)
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def eventually(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WAIT_S
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


def alive(pid: int) -> bool:
    """Whether a process still runs; an unreaped one does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def start_call(pool: ThreadPoolExecutor, server: LocalServer, seconds: float) -> "Future[list[Outcome]]":
    """Send a call and return when the server has it in flight."""
    client = RewardClient(server.address)
    client.wait_ready(WAIT_S)
    future = pool.submit(client.score, [slow(seconds)], timeout_s=CALL_S)
    future.add_done_callback(lambda _: client.close())
    time.sleep(0.3)
    return future


def test_a_ready_server_has_written_its_address_and_serves_installed_extras(tmp_path: Path) -> None:
    with LocalServer(tmp_path / "log") as server, RewardClient(server.address) as client:
        names = {reward.name for reward in client.list_rewards()}

    assert {"boolean", "choice", "code", "slow"} <= names
    assert server.address.startswith("127.0.0.1:")


def test_an_extra_that_takes_the_name_of_a_reward_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install("choice", tmp_path / "other", monkeypatch)

    ended = run("--listen", "127.0.0.1:0")

    assert ended.returncode == 2
    assert "reward 'choice' of 'tests.slow_extra:Slow' is already taken" in ended.stderr


def test_a_port_in_use_is_one_sentence_and_exit_code_2() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = f"127.0.0.1:{taken.getsockname()[1]}"

        ended = run("--listen", address)

    assert ended.returncode == 2
    (line,) = ended.stderr.strip().splitlines()
    assert line.startswith(f"reward_server: cannot listen on '{address}': the port is in use")


def test_two_servers_cannot_share_a_port(tmp_path: Path) -> None:
    with LocalServer(tmp_path / "log") as first:
        assert run("--listen", first.address).returncode == 2


@pytest.mark.parametrize("address", ["0.0.0.0:0", "[::]:0", "example.invalid:0"])
def test_off_loopback_without_tls_the_server_does_not_start(address: str) -> None:
    ended = run("--listen", address)

    assert ended.returncode == 2
    assert "without TLS" in ended.stderr
    assert "--insecure" in ended.stderr


def test_off_loopback_it_starts_when_told_that_it_may(tmp_path: Path) -> None:
    with LocalServer(tmp_path / "log", ("--listen", "0.0.0.0:0", "--insecure")) as server:
        assert server.address.startswith("0.0.0.0:")


def test_an_unknown_key_in_the_file_is_refused_with_a_suggestion(tmp_path: Path) -> None:
    file = tmp_path / "server.yaml"
    file.write_text("scoring:\n  format_wieght: 0.5\n")

    ended = run("--config", str(file))

    assert ended.returncode == 2
    assert "unknown key 'scoring.format_wieght'; did you mean 'format_weight'?" in ended.stderr


def test_an_address_file_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    ended = run("--listen", "127.0.0.1:0", "--address-file", str(tmp_path / "nowhere" / "address"))

    assert ended.returncode == 2
    assert ended.stderr.splitlines()[-1].startswith("reward_server: address_file=")
    assert ended.stderr.splitlines()[-1].endswith("cannot be written: No such file or directory")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_lets_calls_in_flight_finish(tmp_path: Path, number: signal.Signals) -> None:
    with ThreadPoolExecutor() as pool, LocalServer(tmp_path / "log") as server:
        call = start_call(pool, server, 1.5)
        os.kill(server.pid, number)
        (outcome,) = call.result(timeout=WAIT_S)
        eventually(lambda: not alive(server.pid))

    assert isinstance(outcome.result, Score)


def test_a_second_signal_ends_the_server_at_once(tmp_path: Path) -> None:
    with ThreadPoolExecutor() as pool, LocalServer(tmp_path / "log") as server:
        call = start_call(pool, server, 60.0)
        os.kill(server.pid, signal.SIGTERM)
        time.sleep(0.5)
        assert alive(server.pid)
        assert not call.done()
        os.kill(server.pid, signal.SIGTERM)
        eventually(lambda: not alive(server.pid))
        with pytest.raises(RewardUnavailableError):
            call.result(timeout=WAIT_S)


def test_draining_is_bounded(tmp_path: Path) -> None:
    with ThreadPoolExecutor() as pool, LocalServer(tmp_path / "log", ("--drain-s", "0.3")) as server:
        call = start_call(pool, server, 60.0)
        os.kill(server.pid, signal.SIGTERM)
        eventually(lambda: not alive(server.pid))
        with pytest.raises(RewardUnavailableError):
            call.result(timeout=WAIT_S)


def test_a_server_that_cannot_start_says_why_in_the_callers_error(tmp_path: Path) -> None:
    with (
        pytest.raises(RewardUnavailableError, match=r"ended with code 2.*weight"),
        LocalServer(tmp_path / "log", ("--scoring.format-weight", "7")),
    ):
        pass


def test_the_server_dies_with_a_parent_that_is_killed(tmp_path: Path) -> None:
    program = (
        "import sys, time, pathlib\n"
        "from reward_client.local import LocalServer\n"
        f"with LocalServer(pathlib.Path({str(tmp_path / 'log')!r})) as server:\n"
        "    print(server.pid, flush=True)\n"
        "    time.sleep(60)\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    pid = int(parent.stdout.readline())
    assert alive(pid)

    parent.kill()
    parent.wait()
    parent.stdout.close()

    eventually(lambda: not alive(pid))


def test_a_server_told_to_watch_an_input_that_is_no_pipe_says_so() -> None:
    command = (sys.executable, "-m", "reward_server", "--listen", "127.0.0.1:0", "--stop-on-stdin-eof")

    ended = subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False
    )

    assert ended.returncode == 2
    assert "stop_on_stdin_eof needs a pipe" in ended.stderr


def test_one_line_is_logged_for_a_call_without_what_the_user_wrote(tmp_path: Path) -> None:
    secret = "the eagle lands at noon"
    sample = Sample(
        sample_id="secret-id",
        reward="choice",
        prompt=secret,
        completion=secret,
        reference=MathReference(answer=secret),
        metadata={"run": "r7"},
    )
    with LocalServer(tmp_path / "log") as server, RewardClient(server.address) as client:
        client.score([sample])

    text = (tmp_path / "log").read_text()
    assert text.count('"event": "call"') == 1
    assert '"failures": {"BAD_REFERENCE": 1}' in text
    assert '"metadata": {"run": "r7"}' in text
    assert secret not in text


def test_help_names_every_knob() -> None:
    ended = run("--help")

    assert ended.returncode == 0
    for flag in ("--listen", "--address-file", "--insecure", "--scoring.format-weight", "--queues.workers"):
        assert flag in ended.stdout
