"""A server that answers as a test says, and the simplest sample to ask it for."""

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager

import grpc
from reward.v1 import reward_pb2 as pb

from reward_client.api import BooleanReference, Outcome, Sample, Score
from reward_client.channels import SERVICE


def yes(sample_id: str) -> Sample:
    completion = "<reasoning>r</reasoning><answer>yes</answer>"
    return Sample(
        sample_id=sample_id,
        reward="boolean",
        prompt="",
        completion=completion,
        reference=BooleanReference(value=True),
    )


def values(outcomes: list[Outcome]) -> list[float]:
    return [outcome.result.value for outcome in outcomes if isinstance(outcome.result, Score)]


Answer = Callable[[pb.ScoreRequest, grpc.aio.ServicerContext], object]


@asynccontextmanager
async def stand_in(answer: Answer) -> AsyncGenerator[str]:
    """A server that answers Score as the test says; yields its address."""
    server = grpc.aio.server()
    handler = grpc.unary_unary_rpc_method_handler(
        answer,
        request_deserializer=pb.ScoreRequest.FromString,
        response_serializer=pb.ScoreResponse.SerializeToString,
    )
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, {"Score": handler}),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        await server.stop(0)


def right(request: pb.ScoreRequest) -> pb.ScoreResponse:
    score = pb.Score(value=1.0, verdict=pb.CORRECT)
    outcomes = [pb.Outcome(sample_id=each.sample_id, score=score) for each in request.samples]
    return pb.ScoreResponse(outcomes=outcomes)
