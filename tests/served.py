"""A real server on a free port, with rewards of the test's own, and a bare channel to it."""

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

import grpc
from google.rpc import status_pb2
from grpc_health.v1 import health_pb2
from reward.v1 import reward_pb2 as pb

from reward_server.api import Reward
from reward_server.config import ServerConfig
from reward_server.registry import Registry
from reward_server.scores import ScoringConfig
from reward_server.server import running
from reward_server.serving.listening import listen
from reward_server.serving.service import SERVICE
from reward_server.serving.stopping import Stop
from reward_server.workers.pool import WorkerPool
from tests.fake_rewards import completion

WAIT_S = 30.0


@dataclass(kw_only=True)
class Served:
    """A running server and a channel to it."""

    channel: grpc.aio.Channel
    stop: Stop
    address: str

    async def score(self, *samples: pb.Sample, timeout: float = WAIT_S) -> list[pb.Outcome]:
        rpc = self.unary("Score", pb.ScoreRequest, pb.ScoreResponse)
        return list((await rpc(pb.ScoreRequest(samples=samples), timeout=timeout)).outcomes)

    def unary(self, method: str, sent: type, got: type) -> Callable[..., grpc.aio.UnaryUnaryCall]:
        return self.channel.unary_unary(
            f"/{SERVICE}/{method}",
            request_serializer=sent.SerializeToString,
            response_deserializer=got.FromString,
        )

    def stream(self) -> grpc.aio.StreamStreamCall:
        rpc = self.channel.stream_stream(
            f"/{SERVICE}/ScoreStream",
            request_serializer=pb.Sample.SerializeToString,
            response_deserializer=pb.Outcome.FromString,
        )
        return rpc(timeout=WAIT_S)

    async def health(self, service: str = "") -> str:
        rpc = self.channel.unary_unary(
            "/grpc.health.v1.Health/Check",
            request_serializer=health_pb2.HealthCheckRequest.SerializeToString,
            response_deserializer=health_pb2.HealthCheckResponse.FromString,
        )
        answer = await rpc(health_pb2.HealthCheckRequest(service=service), timeout=WAIT_S)
        return health_pb2.HealthCheckResponse.ServingStatus.Name(answer.status)


@asynccontextmanager
async def served(
    *rewards: Reward, workers: WorkerPool | None = None, **settings: object
) -> AsyncGenerator[Served]:
    config = ServerConfig(listen="127.0.0.1:0", **settings)  # type: ignore[arg-type]
    server, address = listen(config)
    stop = Stop()
    async with (
        grpc.aio.insecure_channel(address, options=[("grpc.max_send_message_length", -1)]) as channel,
        running(server, config, Registry(rewards, ScoringConfig()), stop, workers=workers),
    ):
        yield Served(channel=channel, stop=stop, address=address)


def sample(sample_id: str = "s", reward: str = "inline", answer: str = "x", **changes: object) -> pb.Sample:
    fields: dict[str, object] = {
        "sample_id": sample_id,
        "reward": reward,
        "prompt": "p",
        "completion": completion(answer),
        "math": pb.MathReference(answer="1"),
    }
    return pb.Sample(**{**fields, **changes})


def words(outcomes: Sequence[pb.Outcome]) -> list[str]:
    return [
        pb.Verdict.Name(outcome.score.verdict)
        if outcome.WhichOneof("result") == "score"
        else pb.FailureKind.Name(outcome.failure.kind)
        for outcome in outcomes
    ]


def details(error: grpc.aio.AioRpcError) -> status_pb2.Status:
    """The google.rpc.Status that travels beside the code."""
    (data,) = (value for key, value in error.trailing_metadata() if key == "grpc-status-details-bin")
    return status_pb2.Status.FromString(data)
