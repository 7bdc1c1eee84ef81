"""The wire contract, sentence by sentence: the unary batch, against a real server on a free port."""

import asyncio

import grpc
import pytest
from google.rpc import error_details_pb2
from reward.v1 import reward_pb2 as pb

from reward_server.config import QueueConfig
from reward_server.serving.guard import MAX_CALLS
from reward_server.serving.service import MAX_MESSAGE_BYTES, MAX_SAMPLES, SERVICE
from tests.fake_rewards import Held, Inline, completion
from tests.served import WAIT_S, details, sample, served, words


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


async def test_one_call_too_many_is_refused_at_once_with_retry_info_and_the_others_go_on() -> None:
    held = Held()
    async with served(held) as server:
        calls: list[asyncio.Task[list[pb.Outcome]]] = []
        while len(calls) < MAX_CALLS:
            assert (
                await server.health() == "SERVING"
            )  # it has met the calls before; gRPC cancels some of a burst
            calls += [asyncio.create_task(server.score(sample("s", "held"))) for _ in range(MAX_CALLS // 8)]
        calls.append(asyncio.create_task(server.score(sample("s", "held"))))
        done, going_on = await asyncio.wait(calls, timeout=WAIT_S, return_when=asyncio.FIRST_COMPLETED)
        held.release.set()
        outcomes = [outcome for call in going_on for outcome in await call]

    (refused,) = (call.exception() for call in done)
    assert isinstance(refused, grpc.aio.AioRpcError)
    assert refused.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert f"{MAX_CALLS} calls are being answered" in (refused.details() or "")
    retry_info = error_details_pb2.RetryInfo()
    assert details(refused).details[0].Unpack(retry_info)
    assert retry_info.retry_delay.ToMilliseconds() > 0
    assert words(outcomes) == ["CORRECT"] * MAX_CALLS


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


async def test_an_unknown_priority_is_invalid_argument_and_names_the_key() -> None:
    async with served(Inline()) as server:
        rpc = server.unary("Score", pb.ScoreRequest, pb.ScoreResponse)
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await rpc(pb.ScoreRequest(samples=[sample()]), metadata=(("assay-priority", "urgent"),))
        taken = await rpc(pb.ScoreRequest(samples=[sample()]), metadata=(("assay-priority", "evaluation"),))

    assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert "assay-priority: 'urgent' is no priority, send 'training' or 'evaluation'" in str(
        refused.value.details()
    )
    assert words(taken.outcomes) == ["CORRECT"]
