"""Where metrics and traces go.

    Prometheus  read by whoever asks the page for /metrics
    OTLP        sent over gRPC where OpenTelemetry's standard environment names a collector:
                OTEL_EXPORTER_OTLP_ENDPOINT, or ..._METRICS_ENDPOINT and ..._TRACES_ENDPOINT;
                headers, certificates, intervals and sampling are its other variables

Nothing is sent anywhere unless that environment says so.
"""

import os
from collections.abc import Mapping

from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.exporter.prometheus import PrometheusMetricReader
from opentelemetry.sdk.metrics import AlwaysOffExemplarFilter, MeterProvider
from opentelemetry.sdk.metrics.export import MetricReader, PeriodicExportingMetricReader
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from prometheus_client import CollectorRegistry

from reward_server.errors import ConfigurationError

SERVICE_NAME = "assay-reward-server"
_ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT"
_PROTOCOL = "OTEL_EXPORTER_OTLP_PROTOCOL"


def sends(signal: str, environment: Mapping[str, str] = os.environ) -> bool:
    """Say whether the environment names a collector for "METRICS" or "TRACES".

    Raises:
        ConfigurationError: it asks for a protocol or an exporter that is not here.
    """
    if environment.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return False
    wanted = environment.get(f"OTEL_{signal}_EXPORTER") or "otlp"
    if wanted not in ("otlp", "none"):
        raise ConfigurationError(
            f"OTEL_{signal}_EXPORTER={wanted!r} is not here: say otlp or none; "
            "Prometheus reads /metrics of --metrics-listen"
        )
    named = environment.get(f"OTEL_EXPORTER_OTLP_{signal}_ENDPOINT") or environment.get(_ENDPOINT)
    if wanted == "none" or not named:
        return False
    protocol = (
        environment.get(f"OTEL_EXPORTER_OTLP_{signal}_PROTOCOL") or environment.get(_PROTOCOL) or "grpc"
    )
    if protocol != "grpc":
        raise ConfigurationError(f"{_PROTOCOL}={protocol!r} is not here: send OTLP over grpc")
    return True


def meter_provider(registry: CollectorRegistry | None, version: str) -> MeterProvider:
    """Return the provider of metrics: read from `registry` where there is one, sent where asked for."""
    readers: list[MetricReader] = []
    if registry is not None:
        readers.append(
            PrometheusMetricReader(disable_target_info=True, scope_info_enabled=False, registry=registry)
        )
    if sends("METRICS"):
        readers.append(PeriodicExportingMetricReader(OTLPMetricExporter()))
    return MeterProvider(
        readers,
        resource=_resource(version),
        exemplar_filter=AlwaysOffExemplarFilter(),
        shutdown_on_exit=False,
    )


def tracer_provider(version: str) -> TracerProvider | None:
    """Return the provider of traces, None where nobody collects them."""
    if not sends("TRACES"):
        return None
    provider = TracerProvider(resource=_resource(version), shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    return provider


def _resource(version: str) -> Resource:
    """Name the service; OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES win."""
    ours = Resource({"service.name": SERVICE_NAME, "service.version": version})
    return Resource.create().merge(ours).merge(OTELResourceDetector().detect())
