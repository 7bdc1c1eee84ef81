"""A real server that is watched: its status page, and a collector that really receives OTLP."""

import asyncio
import json
import urllib.request
from collections.abc import AsyncGenerator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field

import grpc
import structlog
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2, metrics_service_pb2_grpc
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2, trace_service_pb2_grpc
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from reward_server.api import Reward
from tests.served import WAIT_S, Served, served

TICK_S = 1.3  # longer than the second between two looks at the state


@dataclass(kw_only=True)
class Watched:
    """A running server and its page."""

    server: Served
    url: str

    async def get(self, path: str, **headers: str) -> str:
        """Ask the page, off the event loop that serves the calls."""
        return await asyncio.to_thread(_get, self.url + path, headers)

    async def metrics(self) -> dict[str, float]:
        """Every series of a scrape, by its name and labels as they are written."""
        lines = (await self.get("metrics")).splitlines()
        pairs = (line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
        return {name: float(value) for name, value in pairs}

    async def status(self) -> dict[str, object]:
        return json.loads(await self.get("status.json"))


@asynccontextmanager
async def watched(*rewards: Reward, **settings: object) -> AsyncGenerator[Watched]:
    with structlog.testing.capture_logs() as lines:
        context = served(*rewards, metrics_listen="127.0.0.1:0", **settings)
        server = await context.__aenter__()
    (url,) = (line["url"] for line in lines if line["event"] == "status_page")
    try:
        yield Watched(server=server, url=url)
    finally:
        await context.__aexit__(None, None, None)


@dataclass(kw_only=True)
class Collector:
    """What a collector got."""

    endpoint: str
    traces: list[trace_service_pb2.ExportTraceServiceRequest] = field(default_factory=list)
    metrics: list[metrics_service_pb2.ExportMetricsServiceRequest] = field(default_factory=list)

    def spans(self) -> list[Span]:
        return [
            span
            for request in self.traces
            for resource in request.resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]

    def metric_names(self) -> set[str]:
        return {
            metric.name
            for request in self.metrics
            for resource in request.resource_metrics
            for scope in resource.scope_metrics
            for metric in scope.metrics
        }

    def service_names(self) -> set[str]:
        return {
            attribute.value.string_value
            for request in self.traces
            for resource in request.resource_spans
            for attribute in resource.resource.attributes
            if attribute.key == "service.name"
        }


@contextmanager
def collector() -> Iterator[Collector]:
    """Receive OTLP over gRPC inside the block, as OpenTelemetry's own collector does."""
    server = grpc.server(ThreadPoolExecutor(max_workers=2))
    got = Collector(endpoint=f"http://127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}")

    class Traces(trace_service_pb2_grpc.TraceServiceServicer):
        def Export(self, request, context):  # noqa: N802  (the service's own name)
            got.traces.append(request)
            return trace_service_pb2.ExportTraceServiceResponse()

    class Metrics(metrics_service_pb2_grpc.MetricsServiceServicer):
        def Export(self, request, context):  # noqa: N802  (the service's own name)
            got.metrics.append(request)
            return metrics_service_pb2.ExportMetricsServiceResponse()

    trace_service_pb2_grpc.add_TraceServiceServicer_to_server(Traces(), server)
    metrics_service_pb2_grpc.add_MetricsServiceServicer_to_server(Metrics(), server)
    server.start()
    try:
        yield got
    finally:
        server.stop(None).wait()


def _get(url: str, headers: dict[str, str]) -> str:
    request = urllib.request.Request(url, headers=headers)
    with urllib.request.urlopen(request, timeout=WAIT_S) as answer:
        return answer.read().decode()
