"""A call as a trace: one span for the call, one below it for each reward that graded in it.

Spans are made when the call has ended, with the times it had, so grading never waits for them.
They hold counts and names of ours alone.
"""

from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.trace import Span, SpanKind, StatusCode, Tracer, format_trace_id, set_span_in_context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from reward_server.api import CostClass
from reward_server.observing import CallReport, Part
from reward_server.registry import Registry

SERVICE = "reward.v1.RewardService"
# Ends with these are promises of ours that were broken; the others are the caller's affair.
_BROKEN = frozenset({"INTERNAL", "UNAVAILABLE", "RESOURCE_EXHAUSTED"})


class Spans:
    """Turns calls into spans of a provider it does not own."""

    def __init__(self, provider: TracerProvider, rewards: Registry) -> None:
        self._tracer: Tracer = provider.get_tracer("reward_server")
        self._propagator = TraceContextTextMapPropagator()
        self._classes = {entry.info.name: entry.info.cost_class for entry in rewards.entries}

    def add(self, call: CallReport) -> str:
        """Make the spans of a call, below the caller's; returns the trace's id."""
        span = self._tracer.start_span(
            f"{SERVICE}/{call.rpc}",
            context=self._propagator.extract({"traceparent": call.traceparent}),
            kind=SpanKind.SERVER,
            start_time=call.began_ns,
            attributes={
                "rpc.system": "grpc",
                "rpc.service": SERVICE,
                "rpc.method": call.rpc,
                "rpc.response.status_code": call.code,
                "assay.received_bytes": call.received_bytes,
                "assay.samples": sum(part.samples for part in call.parts.values()),
                "assay.cached": sum(part.cached for part in call.parts.values()),
            },
        )
        ended_ns = call.began_ns + round(call.seconds * 1e9)
        if span.is_recording():
            for reward, part in call.parts.items():
                self._add_part(span, reward, part, call.began_ns, ended_ns)
        if call.code in _BROKEN:
            span.set_status(StatusCode.ERROR)
        span.end(ended_ns)
        return format_trace_id(span.get_span_context().trace_id)

    def _add_part(self, parent: Span, reward: str, part: Part, began_ns: int, ended_ns: int) -> None:
        """Make the span of one reward: from its first sample's beginning to its last one's end."""
        if part.samples == part.cached:
            return
        cost_class = self._classes.get(reward, CostClass.INLINE)
        span = self._tracer.start_span(
            f"grade {reward}",
            context=set_span_in_context(parent),
            start_time=min(ended_ns, began_ns + round(part.begun_ms * 1e6)),
            attributes={
                "assay.reward": reward,
                "assay.cost_class": cost_class.value,
                "assay.samples": part.samples,
                "assay.cached": part.cached,
                "assay.grade_ms": part.grade_ms,
                "assay.longest_queue_ms": part.longest_queue_ms,
                **{f"assay.verdict.{kind.value.lower()}": count for kind, count in part.verdicts.items()},
                **{f"assay.failure.{kind.value.lower()}": count for kind, count in part.failures.items()},
            },
        )
        span.end(min(ended_ns, began_ns + round(part.ended_ms * 1e6)))
