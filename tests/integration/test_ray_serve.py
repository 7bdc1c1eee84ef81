"""The service on a Ray cluster of two nodes: servers on one, sandboxes on the other, which dies."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.rpc import error_details_pb2
from grpc_health.v1 import health_pb2
from reward.v1 import reward_pb2 as pb

from reward_client.api import (
    BooleanReference,
    CodeReference,
    Failure,
    MathReference,
    Outcome,
    RewardRequestError,
    Sample,
    Score,
)
from reward_client.channels import SERVICE
from reward_client.client import RewardClient
from reward_client.security import Security
from sandbox.api import SandboxError
from sandbox.bubblewrap import require_host
from tests.conftest import missing
from tests.served import details

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(420), pytest.mark.filterwarnings("ignore")]

START_S = 240.0
CALL_S = 60.0
STORE_BYTES = 80 * 1024 * 1024
QUIET = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0"}
TOKEN = "a-token-of-the-test-alone-0123456789abcdef"
BEARER = (("authorization", f"Bearer {TOKEN}"),)
INCREMENT = "def f(x):\n    return x + 1"


class Deployed:
    """Two nodes, and the one command that deploys on them."""

    def __init__(self, log: Path) -> None:
        from ray.cluster_utils import Cluster

        self.log = log
        self.port, http_port = free_ports(2)
        token_file = log.with_name("token")
        token_file.write_text(TOKEN)
        token_file.chmod(0o600)
        common = {"object_store_memory": STORE_BYTES, "include_dashboard": False}
        self._cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 2, **common})
        self._node: Any = None
        self.add_sandbox_node()
        command = [sys.executable, "-m", "reward_server.ray_serve", "--insecure", "--ingress", "HeadOnly"]
        command += [
            "--cluster",
            self._cluster.address,
            "--port",
            str(self.port),
            "--http-port",
            str(http_port),
        ]
        command += [
            "--slots",
            "1",
            "--rewards.most",
            "1",
            "--programs.most",
            "1",
            "--sandbox-resource",
            "sandbox",
        ]
        command += ["--server.sandbox", "bubblewrap", "--server.token-file", str(token_file)]
        with log.open("wb") as output:
            self._command = subprocess.Popen(
                command, stdout=output, stderr=subprocess.STDOUT, env={**os.environ, **QUIET}
            )

    def add_sandbox_node(self) -> None:
        self._node = self._cluster.add_node(
            num_cpus=1, resources={"sandbox": 1}, object_store_memory=STORE_BYTES
        )

    def kill_sandbox_node(self) -> None:
        self._cluster.remove_node(self._node, allow_graceful=False)

    def wait_ready(self, client: RewardClient) -> None:
        deadline = time.monotonic() + START_S
        while "is ready" not in self.log.read_text(errors="replace"):
            assert self._command.poll() is None, self.log.read_text(errors="replace")[-3_000:]
            assert time.monotonic() < deadline, self.log.read_text(errors="replace")[-3_000:]
            time.sleep(0.2)
        client.wait_ready(CALL_S)

    def close(self) -> None:
        self._command.send_signal(signal.SIGTERM)
        try:
            self._command.wait(timeout=30)
        except subprocess.TimeoutExpired:
            self._command.kill()
            self._command.wait()
        self._cluster.shutdown()


def free_ports(count: int) -> list[int]:
    probes = [socket.socket() for _ in range(count)]
    for probe in probes:
        probe.bind(("127.0.0.1", 0))
    ports = [probe.getsockname()[1] for probe in probes]
    for probe in probes:
        probe.close()
    return ports


@pytest.fixture(scope="module")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployed]:
    try:
        import ray.cluster_utils  # noqa: F401  (asks only whether it is there)
    except ImportError:
        missing("Ray is not installed: make interop")
    try:
        require_host()
    except SandboxError as error:
        missing(str(error))
    deployed = Deployed(tmp_path_factory.mktemp("ray") / "command.log")
    yield deployed
    deployed.close()


@pytest.fixture(scope="module")
def client(deployed: Deployed) -> Iterator[RewardClient]:
    security = Security(token=TOKEN)
    with RewardClient(f"127.0.0.1:{deployed.port}", on_retry=lambda _: None, security=security) as client:
        deployed.wait_ready(client)
        yield client


def sample(sample_id: str, answer: str, reward: str = "boolean") -> Sample:
    references = {
        "boolean": BooleanReference(value=True),
        "math": MathReference(answer="4"),
        "code": CodeReference(tests=("assert f(1) == 2",)),
    }
    return Sample(
        sample_id=sample_id,
        reward=reward,
        prompt="",
        completion=f"<reasoning>r</reasoning><answer>{answer}</answer>",
        reference=references.get(reward, MathReference(answer="4")),
    )


def words(outcomes: Sequence[Outcome]) -> list[str]:
    results = [outcome.result for outcome in outcomes]
    return [result.verdict if isinstance(result, Score) else result.kind for result in results]


def raw(deployed: Deployed) -> grpc.aio.Channel:
    return grpc.aio.insecure_channel(f"127.0.0.1:{deployed.port}")


def wait_healthy(deployed: Deployed, service: str) -> None:
    """Ask the health service until it says SERVING; a new node takes its time on busy cores."""
    deadline = time.monotonic() + START_S
    request = health_pb2.HealthCheckRequest(service=service)
    with grpc.insecure_channel(f"127.0.0.1:{deployed.port}") as channel:
        check = channel.unary_unary(
            "/grpc.health.v1.Health/Check",
            request_serializer=health_pb2.HealthCheckRequest.SerializeToString,
            response_deserializer=health_pb2.HealthCheckResponse.FromString,
        )
        while check(request, timeout=CALL_S).status != health_pb2.HealthCheckResponse.SERVING:
            assert time.monotonic() < deadline, f"{service} was not SERVING within {START_S:g} s"
            time.sleep(0.2)


def message(sample_id: str) -> pb.Sample:
    completion = "<reasoning>r</reasoning><answer>yes</answer>"
    reference = pb.BooleanReference(value=True)
    return pb.Sample(sample_id=sample_id, reward="boolean", completion=completion, boolean=reference)


def test_every_class_of_cost_is_graded_through_the_ingress(client: RewardClient) -> None:
    samples = [sample("b", "yes"), sample("m", "2 + 2", "math"), sample("c", INCREMENT, "code")]
    samples += [sample("w", "no"), sample("u", "x", "unheard-of")]

    outcomes = client.score(samples, timeout_s=CALL_S)

    assert [outcome.sample_id for outcome in outcomes] == ["b", "m", "c", "w", "u"]
    assert words(outcomes) == ["CORRECT", "CORRECT", "CORRECT", "INCORRECT", "UNKNOWN_REWARD"]


def test_all_rewards_are_listed(client: RewardClient) -> None:
    assert {"math", "code", "choice", "boolean"} <= {reward.name for reward in client.list_rewards()}


def test_a_bad_call_is_refused_by_the_client_with_the_field(client: RewardClient) -> None:
    with pytest.raises(RewardRequestError, match=r"samples\[1\].sample_id"):
        client.score([sample("s", "yes")] * 2)


async def test_a_bad_call_keeps_its_status_and_its_details(deployed: Deployed, client: RewardClient) -> None:
    async with raw(deployed) as channel:
        score = channel.unary_unary(f"/{SERVICE}/Score", pb.ScoreRequest.SerializeToString)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await score(
                pb.ScoreRequest(samples=[message("s"), message("s")]), timeout=CALL_S, metadata=BEARER
            )

    bad = error_details_pb2.BadRequest()
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert details(caught.value).details[0].Unpack(bad)
    assert bad.field_violations[0].field == "samples[1].sample_id"


async def test_a_call_without_the_token_is_refused(deployed: Deployed, client: RewardClient) -> None:
    async with raw(deployed) as channel:
        score = channel.unary_unary(f"/{SERVICE}/Score", pb.ScoreRequest.SerializeToString)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await score(pb.ScoreRequest(samples=[message("s")]), timeout=CALL_S)

    assert caught.value.code() is grpc.StatusCode.UNAUTHENTICATED


async def test_the_health_service_answers_through_the_ingress(
    deployed: Deployed, client: RewardClient
) -> None:
    async with raw(deployed) as channel:
        check = channel.unary_unary(
            "/grpc.health.v1.Health/Check",
            request_serializer=health_pb2.HealthCheckRequest.SerializeToString,
            response_deserializer=health_pb2.HealthCheckResponse.FromString,
        )
        request = health_pb2.HealthCheckRequest(service=SERVICE)
        async with asyncio.timeout(CALL_S):  # the replica's workers may not be warm yet
            while (await check(request, timeout=CALL_S)).status != health_pb2.HealthCheckResponse.SERVING:
                await asyncio.sleep(0.1)


async def test_a_stream_passes_both_ways(deployed: Deployed, client: RewardClient) -> None:
    async with raw(deployed) as channel:
        stream = channel.stream_stream(
            f"/{SERVICE}/ScoreStream",
            request_serializer=pb.Sample.SerializeToString,
            response_deserializer=pb.Outcome.FromString,
        )(timeout=CALL_S, metadata=BEARER)
        seen: list[str] = []
        for name in ("a", "b"):  # the second is sent when the first has been answered
            await stream.write(message(name))
            seen.append((await stream.read()).sample_id)
        await stream.done_writing()
        end = await stream.read()

    assert (seen, end) == (["a", "b"], grpc.aio.EOF)


def test_what_is_finished_comes_back_before_the_deadline(client: RewardClient) -> None:
    sleeping = sample("c", "import time\ntime.sleep(8)\n" + INCREMENT, "code")
    started = time.monotonic()

    outcomes = client.score([sample("b", "yes"), sleeping], timeout_s=4.0)

    assert words(outcomes) == ["CORRECT", "DEADLINE"]
    assert time.monotonic() - started < 4.0


def test_a_lost_sandbox_node_costs_failures_and_no_zeros_and_a_new_one_ends_them(
    deployed: Deployed, client: RewardClient
) -> None:
    programs = [
        sample(str(n), f"# {n}\nimport time\ntime.sleep(0.3)\n{INCREMENT}", "code") for n in range(40)
    ]
    killer = RunLater(1.5, deployed.kill_sandbox_node)
    with killer:
        outcomes = client.score(programs, timeout_s=8.0)

    assert [outcome.sample_id for outcome in outcomes] == [each.sample_id for each in programs]
    assert "CORRECT" in words(outcomes), "none was graded before the node was killed"
    assert set(words(outcomes)) <= {"CORRECT", "SANDBOX", "DEADLINE"}
    assert any(isinstance(outcome.result, Failure) for outcome in outcomes)

    assert words(client.score([sample("b", "no")], timeout_s=CALL_S)) == ["INCORRECT"], "the rest is served"

    deployed.add_sandbox_node()
    wait_healthy(deployed, "code")
    again = client.score(programs, timeout_s=90.0)
    assert words(again) == ["CORRECT"] * len(programs), again


class RunLater:
    """Runs something on a thread after a while; at the end of the block it has been run."""

    def __init__(self, seconds: float, action: Any) -> None:
        import threading

        self._timer = threading.Timer(seconds, action)

    def __enter__(self) -> None:
        self._timer.start()

    def __exit__(self, *_: object) -> None:
        self._timer.join()
