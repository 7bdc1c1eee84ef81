"""The catalogue as instruments of OpenTelemetry.

Counts and states are read when somebody asks (observable instruments); only spreads are written
as things happen: one record a call, two a piece of queued grading, and those of the loop's lag.
"""

from collections.abc import Callable, Iterable, Mapping

from opentelemetry.metrics import CallbackOptions, Histogram, Meter, Observation

from reward_server.observability.catalogue import METRICS, Kind, Metric, View
from reward_server.observability.spreads import SPREADS, Spread

# What the Prometheus format appends to a name by itself, longest first.
_UNITS = {"_seconds": "s", "_bytes": "By"}


class Spreads:
    """The histograms. Attributes are made once for each set of labels."""

    def __init__(self, meter: Meter) -> None:
        self._histograms = {spread: _histogram(meter, spread) for spread in SPREADS}
        self._attributes: dict[tuple[Spread, tuple[str, ...]], Mapping[str, str]] = {}

    def record(self, spread: Spread, seconds: float, *labels: str) -> None:
        """Put one time into its bucket; labels in the order of the catalogue."""
        key = (spread, labels)
        attributes = self._attributes.get(key)
        if attributes is None:
            attributes = self._attributes[key] = dict(zip(spread.labels, labels, strict=True))
        self._histograms[spread].record(seconds, attributes)


def observe(meter: Meter, view: Callable[[], View]) -> None:
    """Register every metric of the catalogue; `view` is called on the exporter's thread."""
    for metric in METRICS:
        name, unit = _split(metric.name)
        create = (
            meter.create_observable_counter if metric.kind is Kind.COUNTER else meter.create_observable_gauge
        )
        create(name, callbacks=[_callback(metric, view)], unit=unit, description=metric.meaning)


def _callback(metric: Metric, view: Callable[[], View]) -> Callable[[CallbackOptions], Iterable[Observation]]:
    def read(_: CallbackOptions) -> Iterable[Observation]:
        for labels, number in metric.rows(view()):
            yield Observation(number, dict(zip(metric.labels, labels, strict=True)))

    return read


def _histogram(meter: Meter, spread: Spread) -> Histogram:
    name, unit = _split(spread.name)
    return meter.create_histogram(
        name, unit=unit, description=spread.meaning, explicit_bucket_boundaries_advisory=spread.bounds
    )


def _split(prometheus_name: str) -> tuple[str, str]:
    """Return OpenTelemetry's name and unit, e.g. ("assay_call_duration", "s")."""
    name = prometheus_name.removesuffix("_total")
    for suffix, unit in _UNITS.items():
        if name.endswith(suffix):
            return name.removesuffix(suffix), unit
    return name, ""
