"""The wire contract beyond the unary batch: ListRewards, streams, defects, health, reflection."""

import asyncio

import grpc
import pytest
from grpc_health.v1 import health_pb2
from grpc_reflection.v1alpha import reflection_pb2
from reward.v1 import reward_pb2 as pb

from reward_server.api import CostClass, Grade, Verdict
from reward_server.config import QueueConfig
from reward_server.errors import GraderLostError
from reward_server.scores import ScoringConfig
from reward_server.serving.service import SERVICE
from reward_server.workers.pool import WorkerPool
from tests.fake_rewards import Held, Inline
from tests.served import WAIT_S, Served, sample, served, words


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
    assert "a defect of the server: KeyError" in (failed.value.details() or "")
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


class Warming(WorkerPool):
    """Workers that are warm, or turn out to be none, when the test says so."""

    def __init__(self) -> None:
        super().__init__({})
        self.warm: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def ready(self) -> None:
        await self.warm


@pytest.mark.parametrize("lost", [False, True])
async def test_a_server_says_serving_once_its_workers_are_warm_or_given_up(*, lost: bool) -> None:
    warming = Warming()
    async with served(Inline(), workers=warming) as server:
        assert words(await server.score(sample("a", "inline"))) == ["CORRECT"]  # it answers meanwhile
        assert await server.health() == await server.health(SERVICE) == "NOT_SERVING"
        if lost:
            warming.warm.set_exception(GraderLostError("no worker can be started"))
        else:
            warming.warm.set_result(None)
        while await server.health() != "SERVING" or await server.health(SERVICE) != "SERVING":
            await asyncio.sleep(0.01)


async def test_whoever_watches_the_health_is_told_when_the_server_drains() -> None:
    held = Held()
    seen: list[str] = []

    async def watch(server: Served) -> None:
        rpc = server.channel.unary_stream(
            "/grpc.health.v1.Health/Watch",
            request_serializer=health_pb2.HealthCheckRequest.SerializeToString,
            response_deserializer=health_pb2.HealthCheckResponse.FromString,
        )
        async for answer in rpc(health_pb2.HealthCheckRequest(service=SERVICE), timeout=WAIT_S):
            seen.append(health_pb2.HealthCheckResponse.ServingStatus.Name(answer.status))
            if len(seen) == 2:
                held.release.set()  # it drains until then
                return

    async with asyncio.TaskGroup() as group:
        async with served(held) as server:
            call = group.create_task(server.score(sample("a", "held")))
            watching = group.create_task(watch(server))
            await held.begun.wait()
            while not seen:
                await asyncio.sleep(0.01)
        await watching
        assert words(await call) == ["CORRECT"]

    assert seen == ["SERVING", "NOT_SERVING"]


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
