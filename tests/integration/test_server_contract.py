"""The wire contract, sentence by sentence, against a real server on a free port."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

import grpc
import pytest
from google.rpc import error_details_pb2, status_pb2
from grpc_health.v1 import health_pb2
from grpc_reflection.v1alpha import reflection_pb2
from reward.v1 import reward_pb2 as pb

from reward_server.api import CostClass, Grade, Reward, Verdict
from reward_server.config import QueueConfig, ServerConfig
from reward_server.listening import listen
from reward_server.registry import Registry
from reward_server.scores import ScoringConfig
from reward_server.server import running
from reward_server.service import MAX_MESSAGE_BYTES, MAX_SAMPLES, SERVICE
from reward_server.stopping import Stop
from tests.fake_rewards import Held, Inline, completion

WAIT_S = 30.0


@dataclass(kw_only=True)
class Served:
    """A running server and a channel to it."""

    channel: grpc.aio.Channel
    stop: Stop

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
async def served(*rewards: Reward, **settings: object) -> AsyncGenerator[Served]:
    config = ServerConfig(listen="127.0.0.1:0", **settings)  # type: ignore[arg-type]
    server, address = listen(config)
    stop = Stop()
    async with (
        grpc.aio.insecure_channel(address, options=[("grpc.max_send_message_length", -1)]) as channel,
        running(server, config, Registry(rewards, ScoringConfig()), stop),
    ):
        yield Served(channel=channel, stop=stop)


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


async def test_outcomes_come_back_one_per_sample_in_request_order() -> None:
    async with served(Inline()) as server:
        outcomes = await server.score(*(sample(f"s{n}", answer=str(n)) for n in range(1000)))

    assert [outcome.sample_id for outcome in outcomes] == [f"s{n}" for n in range(1000)]
    assert set(words(outcomes)) == {"CORRECT"}


async def test_a_score_has_its_value_components_verdict_explanation_version_and_times() -> None:
    async with served(Inline()) as server:
        (first,) = await server.score(sample())
        (again,) = await server.score(sample("t"))

    assert first.score.value == 1.0
    assert dict(first.score.components) == {"format": 1.0, "correctness": 1.0}
    assert (first.score.verdict, first.score.explanation) == (pb.CORRECT, "right")
    assert first.reward_version.startswith("1.2.3+")
    assert first.timing.grade_ms >= 0.0
    assert (first.cached, again.cached) == (False, True)
    assert again.score == first.score


async def test_a_failure_has_a_kind_and_a_message_and_no_score() -> None:
    async with served(Inline()) as server:
        outcomes = await server.score(sample("a", "nobody"), sample("b", boolean=pb.BooleanReference()))

    assert words(outcomes) == ["UNKNOWN_REWARD", "BAD_REFERENCE"]
    assert not any(outcome.HasField("score") for outcome in outcomes)
    assert all(outcome.failure.message for outcome in outcomes)
    assert outcomes[0].reward_version == ""
    assert outcomes[1].reward_version != ""


async def test_a_sample_without_a_reference_is_a_bad_reference() -> None:
    bare = pb.Sample(sample_id="a", reward="inline", completion=completion("x"))
    async with served(Inline()) as server:
        outcomes = await server.score(bare)

    assert words(outcomes) == ["BAD_REFERENCE"]


async def test_a_completion_over_256_kib_is_a_score_of_zero() -> None:
    async with served(Inline()) as server:
        (outcome,) = await server.score(sample(completion="x" * 300 * 1024))

    assert words([outcome]) == ["TOO_LONG"]
    assert outcome.score.value == 0.0


@pytest.mark.parametrize(
    ("samples", "field", "said"),
    [
        ([], "samples", "at least one"),
        ([sample("a"), sample("b"), sample("c"), sample("")], "samples[3].sample_id", "is empty"),
        ([sample("a"), sample("b"), sample("a")], "samples[2].sample_id", "'a' is repeated"),
        ([sample(str(n)) for n in range(MAX_SAMPLES + 1)], "samples", "at most 8192"),
    ],
    ids=["empty", "no id", "repeated id", "too many"],
)
async def test_a_bad_call_is_invalid_argument_and_names_the_field(
    samples: list[pb.Sample], field: str, said: str
) -> None:
    async with served(Inline()) as server:
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await server.score(*samples)

    assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    status = details(refused.value)
    bad_request = error_details_pb2.BadRequest()
    assert status.details[0].Unpack(bad_request)
    assert [violation.field for violation in bad_request.field_violations] == [field]
    assert said in bad_request.field_violations[0].description
    assert status.code == grpc.StatusCode.INVALID_ARGUMENT.value[0]
    assert field in (refused.value.details() or "")


async def test_a_call_of_8192_samples_is_taken() -> None:
    async with served(Inline()) as server:
        outcomes = await server.score(*(sample(str(n)) for n in range(MAX_SAMPLES)))

    assert len(outcomes) == MAX_SAMPLES


async def test_a_message_over_64_mib_is_refused_with_the_limit_and_the_server_lives_on() -> None:
    async with served(Inline()) as server:
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await server.score(sample(prompt="x" * 70 * 1024 * 1024))

        assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT
        assert str(MAX_MESSAGE_BYTES) in (refused.value.details() or "")
        assert words(await server.score(sample())) == ["CORRECT"]


@pytest.mark.parametrize("garbage", [b"\xff\xff\xff", b"\x0a\x05\x0a\x03\xff\xfe\xfd"])
async def test_bytes_that_are_no_request_are_invalid_argument(garbage: bytes) -> None:
    async with served(Inline()) as server:
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await server.channel.unary_unary(f"/{SERVICE}/Score")(garbage, timeout=WAIT_S)

    assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT


async def test_the_answer_comes_before_the_deadline_with_what_is_finished() -> None:
    held = Held()
    async with served(Inline(), held) as server:
        outcomes = await server.score(sample("a"), sample("b", "held"), timeout=1.0)
        await asyncio.sleep(0.05)

    assert words(outcomes) == ["CORRECT", "DEADLINE"]
    assert held.cancelled == 1


async def test_a_call_without_a_deadline_gets_the_servers_own() -> None:
    held = Held()
    async with served(held, deadline_s=0.3) as server:
        rpc = server.unary("Score", pb.ScoreRequest, pb.ScoreResponse)
        response = await asyncio.wait_for(rpc(pb.ScoreRequest(samples=[sample("a", "held")])), WAIT_S)

    assert words(response.outcomes) == ["DEADLINE"]


async def test_work_whose_caller_is_gone_is_stopped() -> None:
    held = Held()
    async with served(held) as server:
        call = asyncio.create_task(server.score(sample("a", "held")))
        await held.begun.wait()
        call.cancel()
        for _ in range(300):
            await asyncio.sleep(0.01)
            if held.cancelled:
                break

    assert held.cancelled == 1


async def test_a_full_queue_answers_at_once_with_resource_exhausted_and_retry_info() -> None:
    held = Held()
    async with served(Inline(), held, queues=QueueConfig(workers=1, worker_bound=2)) as server:
        first = asyncio.create_task(server.score(*(sample(str(n), "held", answer=str(n)) for n in range(3))))
        await held.begun.wait()

        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await server.score(sample("x", "held", answer="x"))
        cheap = await server.score(sample("y"))
        held.release.set()
        await first

    assert refused.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    retry_info = error_details_pb2.RetryInfo()
    assert details(refused.value).details[0].Unpack(retry_info)
    assert retry_info.retry_delay.ToMilliseconds() > 0
    assert words(cheap) == ["CORRECT"]


async def test_equal_samples_of_two_calls_are_graded_once() -> None:
    held = Held()
    async with served(held) as server:
        calls = [asyncio.create_task(server.score(sample(str(n), "held"))) for n in range(5)]
        await held.begun.wait()
        await asyncio.sleep(0.1)
        held.release.set()
        outcomes = [outcome for call in calls for outcome in await call]

    assert held.started == 1
    assert words(outcomes) == ["CORRECT"] * 5


async def test_list_rewards_says_what_each_reward_promises() -> None:
    async with served(Inline(), Held("held", CostClass.SANDBOX, deterministic=False)) as server:
        rpc = server.unary("ListRewards", pb.ListRewardsRequest, pb.ListRewardsResponse)
        response = await rpc(pb.ListRewardsRequest(), timeout=WAIT_S)

    held, inline = response.rewards
    assert (held.name, held.deterministic, held.cost_class) == ("held", False, pb.RewardInfo.SANDBOX)
    assert (inline.name, inline.deterministic, inline.cost_class) == ("inline", True, pb.RewardInfo.INLINE)
    assert (inline.minimum, inline.maximum, inline.reference) == (0.0, 1.0, "math")
    assert response.configuration_hash == ScoringConfig().digest()
    assert response.server_version


async def test_a_stream_answers_samples_as_they_finish() -> None:
    held = Held()
    async with served(Inline(), held) as server:
        call = server.stream()
        await call.write(sample("slow", "held"))
        await call.write(sample("fast"))
        first = await call.read()
        held.release.set()
        second = await call.read()
        await call.done_writing()
        assert await call.read() is grpc.aio.EOF
        assert await call.code() is grpc.StatusCode.OK

    assert [first.sample_id, second.sample_id] == ["fast", "slow"]


async def test_a_stream_grades_many_samples_and_ends() -> None:
    async with served(Inline()) as server:
        call = server.stream()

        async def send() -> None:
            for n in range(3000):
                await call.write(sample(str(n)))
            await call.done_writing()

        sending = asyncio.create_task(send())
        got = {outcome.sample_id async for outcome in call}
        await sending

    assert got == {str(n) for n in range(3000)}


@pytest.mark.parametrize(("bad_id", "field"), [("", "samples[1].sample_id"), ("a", "samples[1].sample_id")])
async def test_a_bad_sample_ends_its_stream_with_invalid_argument(bad_id: str, field: str) -> None:
    held = Held()
    async with served(held) as server:
        call = server.stream()
        await call.write(sample("a", "held"))
        await call.write(sample(bad_id, "held"))
        assert await call.code() is grpc.StatusCode.INVALID_ARGUMENT
        assert field in await call.details()
        await asyncio.sleep(0.05)

    assert held.cancelled == held.started


async def test_in_a_stream_a_full_queue_is_a_failure_of_the_sample() -> None:
    held = Held()
    async with served(held, queues=QueueConfig(workers=1, worker_bound=1)) as server:
        call = server.stream()
        for n in range(3):
            await call.write(sample(str(n), "held", answer=str(n)))
        refused = await call.read()
        held.release.set()
        await call.done_writing()
        rest = [await call.read(), await call.read()]

    assert words([refused]) == ["OVERLOADED"]
    assert refused.reward_version != ""
    assert words(rest) == ["CORRECT", "CORRECT"]


def impossible(_: str) -> Grade:
    return Grade(value=1.0, verdict="no verdict", explanation="")  # type: ignore[arg-type]


async def test_a_defect_of_the_server_ends_one_call_with_internal_and_quotes_nobody() -> None:
    async with served(Inline(impossible), Inline(name="sound")) as server:
        with pytest.raises(grpc.aio.AioRpcError) as failed:
            await server.score(sample("a"))
        call = server.stream()
        await call.write(sample("a"))
        assert await call.code() is grpc.StatusCode.INTERNAL
        assert words(await server.score(sample("b", "sound"))) == ["CORRECT"]

    assert failed.value.code() is grpc.StatusCode.INTERNAL
    assert "a defect of the server: AttributeError" in (failed.value.details() or "")
    assert "no verdict" not in (failed.value.details() or "")


async def test_what_a_reward_says_is_cut_to_size_and_can_be_sent() -> None:
    def quote(_: str) -> Grade:
        return Grade(value=1.0, verdict=Verdict.CORRECT, explanation="\ud800" + "x" * 1_000_000)

    async with served(Inline(quote)) as server:
        (outcome,) = await server.score(sample())

    assert outcome.score.explanation.startswith("?xxx")
    assert len(outcome.score.explanation) == 2_000


async def test_health_is_served_and_says_not_serving_while_draining() -> None:
    held = Held()
    async with asyncio.TaskGroup() as group:
        async with served(held) as server:
            assert await server.health() == "SERVING"
            assert await server.health(SERVICE) == "SERVING"
            call = group.create_task(server.score(sample("a", "held")))
            await held.begun.wait()
            probe = group.create_task(_probe_while_draining(server, held))
        assert probe.result() == ("NOT_SERVING", grpc.StatusCode.UNAVAILABLE)
        assert words(await call) == ["CORRECT"]


async def _probe_while_draining(server: Served, held: Held) -> tuple[str, grpc.StatusCode]:
    while (health := await server.health()) == "SERVING":
        await asyncio.sleep(0.01)
    try:
        await server.score(sample("b", "held", answer="new"))
    except grpc.aio.AioRpcError as error:
        return health, error.code()
    finally:
        held.release.set()
    return health, grpc.StatusCode.OK


async def test_reflection_lists_the_service() -> None:
    async with served(Inline()) as server:
        rpc = server.channel.stream_stream(
            "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
            request_serializer=reflection_pb2.ServerReflectionRequest.SerializeToString,
            response_deserializer=reflection_pb2.ServerReflectionResponse.FromString,
        )
        call = rpc(timeout=WAIT_S)
        await call.write(reflection_pb2.ServerReflectionRequest(list_services=""))
        answer = await call.read()
        await call.done_writing()

    names = {service.name for service in answer.list_services_response.service}
    assert {"reward.v1.RewardService", "grpc.health.v1.Health"} <= names
