"""Metrics and traces reach a collector when the standard environment names one, and nobody otherwise."""

import time

import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from reward_client.api import MathReference, Sample
from reward_client.client import AsyncRewardClient
from reward_server.api import CostClass
from reward_server.errors import ConfigurationError
from reward_server.observability.exporting import sends
from reward_server.observability.watching import LAST_EXPORT_S
from tests.fake_rewards import Held, Inline, completion
from tests.served import sample, served
from tests.watched import Collector, collector

TRACE_ID = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT_ID = "00f067aa0ba902b7"
TRACEPARENT = f"00-{TRACE_ID}-{PARENT_ID}-01"


def attributes(span: Span) -> dict[str, object]:
    return {pair.key: getattr(pair.value, pair.value.WhichOneof("value")) for pair in span.attributes}


async def score_and_stop(traceparent: str | None = None) -> None:
    """One call with two rewards; the server sends the rest of what it has when it stops."""
    held = Held("held", CostClass.WORKER)
    held.release.set()
    async with served(Inline(), held) as server:
        rpc = server.channel.unary_unary("/reward.v1.RewardService/Score")
        request = _request(sample("a"), sample("b"), sample("c", "held"))
        await rpc(
            request, timeout=30.0, metadata=() if traceparent is None else (("traceparent", traceparent),)
        )


def _request(*samples) -> bytes:
    from reward.v1 import reward_pb2 as pb

    return pb.ScoreRequest(samples=samples).SerializeToString()


@pytest.fixture
def got(monkeypatch: pytest.MonkeyPatch):
    with collector() as receiver:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.endpoint)
        yield receiver


async def test_a_call_is_a_span_below_the_callers_with_one_below_it_for_each_reward(got: Collector) -> None:
    await score_and_stop(TRACEPARENT)

    spans = {span.name: span for span in got.spans()}
    call = spans.pop("reward.v1.RewardService/Score")
    assert call.trace_id.hex() == TRACE_ID
    assert call.parent_span_id.hex() == PARENT_ID
    assert call.kind == Span.SPAN_KIND_SERVER
    assert attributes(call)["rpc.response.status_code"] == "OK"
    assert attributes(call)["assay.samples"] == 3
    assert set(spans) == {"grade inline", "grade held"}
    for span in spans.values():
        assert span.parent_span_id == call.span_id
        assert call.start_time_unix_nano <= span.start_time_unix_nano <= span.end_time_unix_nano
        assert span.end_time_unix_nano <= call.end_time_unix_nano
    assert attributes(spans["grade inline"])["assay.verdict.correct"] == 2
    assert attributes(spans["grade held"])["assay.cost_class"] == "WORKER"


@pytest.mark.parametrize("traceparent", [None, "", "00-nonsense", f"00-{'0' * 32}-{PARENT_ID}-01"])
async def test_a_call_without_a_trace_begins_one(got: Collector, traceparent: str | None) -> None:
    await score_and_stop(traceparent)

    (call,) = (span for span in got.spans() if not span.parent_span_id)
    assert call.name == "reward.v1.RewardService/Score"
    assert len(call.trace_id) == 16


async def test_a_caller_who_does_not_sample_gets_no_spans(got: Collector) -> None:
    await score_and_stop(f"00-{TRACE_ID}-{PARENT_ID}-00")

    assert got.spans() == []


async def test_the_client_hands_the_callers_trace_on(got: Collector) -> None:
    async with served(Inline()) as server, AsyncRewardClient(server.address) as client:
        graded = Sample(
            sample_id="a",
            reward="inline",
            prompt="p",
            completion=completion("x"),
            reference=MathReference(answer="1"),
        )
        await client.score([graded], traceparent=TRACEPARENT)

    assert {span.trace_id.hex() for span in got.spans()} == {TRACE_ID}


async def test_metrics_are_sent_without_a_page(got: Collector) -> None:
    await score_and_stop()

    assert {"assay_calls", "assay_samples", "assay_call_duration", "assay_grade"} <= got.metric_names()
    assert got.service_names() == {"assay-reward-server"}


async def test_the_operator_names_the_service(got: Collector, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_SERVICE_NAME", "graders-of-run-7")
    await score_and_stop()

    assert got.service_names() == {"graders-of-run-7"}


async def test_one_signal_can_be_sent_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    with collector() as got:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", got.endpoint)
        await score_and_stop()

    assert got.metrics
    assert got.traces == []


async def test_a_collector_that_is_away_holds_up_neither_calls_nor_the_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")
    started = time.monotonic()
    await score_and_stop()

    assert time.monotonic() - started < 3 * LAST_EXPORT_S


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": ""}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4317"}, True),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://c:4317"}, True),
        ({"OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": "http://c:4317"}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4317", "OTEL_TRACES_EXPORTER": "none"}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4317", "OTEL_SDK_DISABLED": "true"}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4317", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, True),
    ],
)
def test_traces_are_sent_where_the_environment_says_so(environment: dict[str, str], expected: bool) -> None:
    assert sends("TRACES", environment) is expected


@pytest.mark.parametrize(
    ("environment", "says"),
    [
        ({"OTEL_TRACES_EXPORTER": "zipkin"}, "say otlp or none"),
        (
            {
                "OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318",
                "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
            },
            "send OTLP over grpc",
        ),
    ],
)
def test_what_is_not_here_is_refused(environment: dict[str, str], says: str) -> None:
    with pytest.raises(ConfigurationError, match=says):
        sends("TRACES", environment)
