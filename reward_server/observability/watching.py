"""Puts the watchers around a running server, and takes them down after it.

Where nobody asked for metrics or traces nothing is started and nothing is counted.
"""

import asyncio
import threading
import time
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from importlib.metadata import version

from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.trace import TracerProvider
from prometheus_client import CollectorRegistry

from reward_server.api import CostClass
from reward_server.config import ServerConfig
from reward_server.observability import exporting
from reward_server.observability.catalogue import View
from reward_server.observability.history import EVERY_S, History
from reward_server.observability.meters import Spreads, observe
from reward_server.observability.page import Page, application, bind
from reward_server.observability.parts import Parts, read, this_process
from reward_server.observability.spans import Spans
from reward_server.observability.spreads import (
    CALL_SECONDS,
    GRADE_SECONDS,
    LOOP_LAG_SECONDS,
    QUEUE_SECONDS,
)
from reward_server.observability.totals import Totals
from reward_server.observing import UNOBSERVED, CallReport, Observer, trace_id
from reward_server.telemetry import logger

# How often the event loop's lag is measured.
LAG_EVERY_S = 0.02
# What is not with the collector by then is lost; the server's end waits no longer.
LAST_EXPORT_S = 3.0


@asynccontextmanager
async def watching(config: ServerConfig, parts: Parts) -> AsyncGenerator[Observer]:
    """Watch the parts inside the block, and give the observer to tell of calls.

    Raises:
        ConfigurationError: the page cannot be served where it should be, or the environment asks
            OpenTelemetry for what is not here.
    """
    tracers = exporting.tracer_provider(version("assay-rl"))
    if config.metrics_listen is None and tracers is None and not exporting.sends("METRICS"):
        yield UNOBSERVED
        return
    async with AsyncExitStack() as stack:
        registry = None if config.metrics_listen is None else CollectorRegistry()
        meters = exporting.meter_provider(registry, version("assay-rl"))
        stack.push_async_callback(_shut_down, meters, tracers)
        watch = Watch(config, parts, meters, tracers)
        for work in (watch.tick(), watch.follow_lag()):
            stack.push_async_callback(_end, asyncio.create_task(work))
        if config.metrics_listen is not None and registry is not None:
            page = Page(application(registry, watch.view, watch.history), bind(config))
            stack.push_async_callback(page.stop)
            page.start()
            logger().info("status_page", url=page.url)
        yield watch


class Watch:
    """Counts calls and looks at the parts once a second. Implements `observing.Observer`."""

    def __init__(
        self, config: ServerConfig, parts: Parts, meters: MeterProvider, tracers: TracerProvider | None
    ) -> None:
        self.totals = Totals(parts.rewards)
        self.history = History(self.totals)
        self._parts = parts
        self._state = read(parts)
        self._configuration = config.scoring.digest()
        self._versions = {entry.info.name: entry.version for entry in parts.rewards.entries}
        meter = meters.get_meter("reward_server")
        self._spreads = Spreads(meter)
        self._spans = None if tracers is None else Spans(tracers, parts.rewards)
        observe(meter, self.view)

    def view(self) -> View:
        """Return what metrics are read from; from any thread."""
        return View(
            totals=self.totals,
            state=self._state,
            process=this_process,
            version=version("assay-rl"),
            configuration=self._configuration,
            versions=self._versions,
        )

    def call_began(self) -> None:
        self.totals.in_flight += 1

    def call_ended(self, call: CallReport) -> str:
        self.totals.add(call)
        self.history.add_call(call.seconds)
        self._spreads.record(CALL_SECONDS, call.seconds, call.rpc, self.totals.cost_class(call))
        return trace_id(call.traceparent) if self._spans is None else self._spans.add(call)

    def work_ended(self, reward: str, cost_class: CostClass, queue_ms: float, grade_ms: float) -> None:
        self._spreads.record(QUEUE_SECONDS, queue_ms / 1e3, reward, cost_class.value)
        self._spreads.record(GRADE_SECONDS, grade_ms / 1e3, reward, cost_class.value)

    async def tick(self) -> None:
        """Read the parts once a second, until cancelled."""
        before = time.monotonic()
        while True:
            await asyncio.sleep(EVERY_S)
            now = time.monotonic()
            self._state = read(self._parts)
            self.history.tick(self._state, at=time.time(), seconds=now - before)
            before = now

    async def follow_lag(self) -> None:
        """Measure how late the event loop wakes up a task, until cancelled.

        The loop's own timers are exact to a millisecond, which is as low as this gets.
        """
        loop = asyncio.get_running_loop()
        while True:
            due = loop.time() + LAG_EVERY_S
            await asyncio.sleep(LAG_EVERY_S)
            late_s = max(0.0, loop.time() - due)
            self.history.add_lag(late_s)
            self._spreads.record(LOOP_LAG_SECONDS, late_s)


async def _shut_down(meters: MeterProvider, tracers: TracerProvider | None) -> None:
    """Send what was not sent yet, off the event loop, and for a while only: a collector may be away."""
    ends = (meters.shutdown, *(() if tracers is None else (tracers.shutdown,)))
    threads = [threading.Thread(target=end, name="last_export", daemon=True) for end in ends]
    for thread in threads:
        thread.start()
    await asyncio.gather(*(asyncio.to_thread(thread.join, LAST_EXPORT_S) for thread in threads))


async def _end(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
