"""The page of a watched server: what it counts, what it shows, and who may read it."""

import asyncio
import re
import urllib.error

import grpc
import pytest
from reward.v1 import reward_pb2 as pb

from reward_server.api import CostClass, Grade
from reward_server.config import ServerConfig
from reward_server.errors import ConfigurationError, SandboxUnavailableError
from reward_server.observability.page import bind
from tests.fake_rewards import Held, Inline
from tests.served import sample, served
from tests.watched import TICK_S, watched


def lost(_: str) -> Grade:
    raise SandboxUnavailableError("no engine")


async def test_a_scrape_tells_calls_samples_and_failures() -> None:
    async with watched(Inline(), Inline(lost, name="lost")) as page:
        await page.server.score(
            sample("a"), sample("b"), sample("c", "lost"), sample("d", "what a caller wrote")
        )
        with pytest.raises(grpc.aio.AioRpcError):
            await page.server.score(sample(""))
        series = await page.metrics()

    assert series['assay_calls_total{code="OK",method="Score"}'] == 1
    assert series['assay_calls_total{code="INVALID_ARGUMENT",method="Score"}'] == 1
    assert series["assay_calls_in_flight"] == 0
    assert series['assay_samples_total{reward="inline",verdict="CORRECT"}'] == 2
    assert series['assay_failures_total{kind="SANDBOX",reward="lost"}'] == 1
    assert series['assay_failures_total{kind="UNKNOWN_REWARD",reward="unknown"}'] == 1
    assert series['assay_failures_total{kind="GRADER",reward="inline"}'] == 0
    assert series["assay_received_bytes_total"] > 0
    assert series['assay_call_duration_seconds_count{cost_class="INLINE",method="Score"}'] == 1
    assert "what a caller wrote" not in " ".join(series)


async def test_a_call_that_is_refused_at_the_door_is_counted(tmp_path) -> None:
    token = tmp_path / "token"
    token.write_text("let me in")
    async with watched(Inline(), token_file=token) as page:
        with pytest.raises(grpc.aio.AioRpcError):
            await page.server.score(sample())
        series = await page.metrics()

    assert series['assay_calls_total{code="UNAUTHENTICATED",method="Score"}'] == 1
    assert series["assay_calls_in_flight"] == 0


async def test_a_stream_is_one_call_with_all_its_samples() -> None:
    async with watched(Inline()) as page:
        call = page.server.stream()
        for number in range(3):
            await call.write(sample(str(number)))
        await call.done_writing()
        assert len([outcome async for outcome in call]) == 3
        series = await page.metrics()

    assert series['assay_calls_total{code="OK",method="ScoreStream"}'] == 1
    assert series['assay_samples_total{reward="inline",verdict="CORRECT"}'] == 3


async def test_queued_work_is_timed_once_however_many_samples_share_it() -> None:
    held = Held("held", CostClass.WORKER)
    async with watched(held) as page, asyncio.TaskGroup() as group:
        calls = [group.create_task(page.server.score(sample(str(number), "held"))) for number in range(3)]
        await held.begun.wait()
        await asyncio.sleep(TICK_S)
        during = await page.metrics()
        held.release.set()
        await asyncio.gather(*calls)
        await page.server.score(sample("again", "held"))
        await asyncio.sleep(TICK_S)
        after = await page.metrics()

    assert during["assay_calls_in_flight"] == 3
    assert during['assay_lane_busy{lane="worker"}'] == 1
    assert during["assay_flights"] == 1
    assert during["assay_flights_shared_total"] == 2
    assert after['assay_lane_busy{lane="worker"}'] == 0
    assert after['assay_grade_seconds_count{cost_class="WORKER",reward="held"}'] == 1
    assert after['assay_queue_seconds_count{cost_class="WORKER",reward="held"}'] == 1
    assert after['assay_grade_seconds_sum{cost_class="WORKER",reward="held"}'] > 1.0
    assert after['assay_cached_total{reward="held"}'] == 3
    assert after['assay_cache_lookups_total{result="memory"}'] == 1


async def test_a_held_up_event_loop_is_seen() -> None:
    def slow(_: str) -> Grade:
        import time

        time.sleep(0.3)  # what a reward must never do
        raise SandboxUnavailableError("late")

    async with watched(Inline(slow)) as page:
        await page.server.score(sample())
        await asyncio.sleep(TICK_S)
        status = await page.status()
        series = await page.metrics()

    assert max(status["history"]["lag_ms"]) > 250
    assert (
        series['assay_event_loop_lag_seconds_bucket{le="0.25"}']
        < series["assay_event_loop_lag_seconds_count"]
    )


async def test_the_page_shows_rates_verdicts_and_complaints() -> None:
    async with watched(Inline(), Inline(lost, name="lost")) as page:
        await page.server.score(sample("a"), sample("b", "lost"))
        await asyncio.sleep(TICK_S)
        status = await page.status()
        html = await page.get("")

    rewards = {reward["name"]: reward for reward in status["rewards"]}
    assert rewards["inline"]["verdicts"] == {"CORRECT": 1}
    assert rewards["lost"]["failures"] == {"SANDBOX": 1}
    assert rewards["inline"]["per_second"] > 0
    assert (status["health"], status["complaints"]) == ("serving", [])
    assert "status.json" in html


async def test_the_page_loads_nothing_from_elsewhere() -> None:
    async with watched(Inline()) as page:
        html = await page.get("")

    assert re.findall(r"(?:src|href)\s*=\s*\"(?!data:,|status\.json)", html) == []
    assert not re.search(r"https?://(?!www\.w3\.org)", html)


async def test_the_page_can_only_be_read() -> None:
    async with watched(Inline()) as page:
        for path in ("elsewhere", "metrics/.."):
            with pytest.raises(urllib.error.HTTPError) as refused:
                await page.get(path)
            with refused.value:
                assert refused.value.code == 404


async def test_prometheus_newer_format_is_served_to_who_asks_for_it() -> None:
    async with watched(Inline()) as page:
        text = await page.get("metrics", Accept="application/openmetrics-text; version=1.0.0")

    assert text.endswith("# EOF\n")


async def test_a_page_that_is_asked_all_the_time_loses_no_call() -> None:
    async with watched(Inline()) as page:
        scrapes = [asyncio.create_task(page.get("metrics")) for _ in range(20)]
        outcomes = await page.server.score(*(sample(str(number)) for number in range(500)))
        await asyncio.gather(*scrapes)

    assert {outcome.score.verdict for outcome in outcomes} == {pb.CORRECT}


async def test_without_a_page_nothing_watches() -> None:
    before = {task.get_coro().__qualname__ for task in asyncio.all_tasks()}
    async with served(Inline()) as server:
        await server.score(sample())
        during = {getattr(task.get_coro(), "__qualname__", "") for task in asyncio.all_tasks()}

    assert not {name for name in during - before if name.startswith("Watch")}


@pytest.mark.parametrize(
    ("listen", "settings", "says"),
    [
        ("0.0.0.0:0", {}, "--metrics-insecure"),
        ("[::]:0", {}, "--metrics-insecure"),
        ("somewhere.example:0", {}, "--metrics-insecure"),
        ("192.0.2.1:9464", {"metrics_insecure": True}, "cannot listen on metrics_listen"),
    ],
)
def test_off_loopback_the_page_needs_a_word_of_its_own(
    listen: str, settings: dict[str, bool], says: str
) -> None:
    with pytest.raises(ConfigurationError, match=says):
        bind(ServerConfig(metrics_listen=listen, **settings))


@pytest.mark.parametrize("settings", [{"metrics_insecure": True}, {"insecure": True}])
def test_a_server_that_is_open_anyway_opens_its_page_with_the_same_word(settings: dict[str, bool]) -> None:
    with bind(ServerConfig(metrics_listen="0.0.0.0:0", **settings)) as bound:
        assert bound.getsockname()[1] > 0


@pytest.mark.parametrize("listen", ["9464", "127.0.0.1", "127.0.0.1:http", "127.0.0.1:70000"])
def test_a_malformed_address_is_named(listen: str) -> None:
    with pytest.raises(ConfigurationError, match="metrics_listen="):
        ServerConfig(metrics_listen=listen)
