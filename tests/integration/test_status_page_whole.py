"""The page of a whole server: every part exports its metrics, and a browser can draw them."""

import json
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from shutil import which

import pytest

from reward_client.api import CodeReference, Sample
from reward_client.client import RewardClient
from reward_client.local import LocalServer
from reward_server.observability.catalogue import METRICS
from reward_server.observability.spreads import SPREADS
from tests.conftest import missing
from tests.fake_rewards import completion

WAIT_S = 60.0


def events(log: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in log.read_text().splitlines() if line.startswith("{")]


def program() -> Sample:
    source = "def double(x):\n    return 2 * x"
    code = CodeReference(tests=("assert double(2) == 4",), entry_point="double")
    return Sample(sample_id="code", reward="code", prompt="", completion=completion(source), reference=code)


@pytest.fixture(scope="module")
def page(docker_engine: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of the page of a server that has run a program, with its workers warm."""
    log = tmp_path_factory.mktemp("server") / "log"
    with LocalServer(log, arguments=("--metrics-listen", "127.0.0.1:0")) as server:
        with RewardClient(server.address) as client:
            client.score([program()], timeout_s=WAIT_S)
        deadline = time.monotonic() + WAIT_S
        while not any(event["event"] == "workers_ready" for event in events(log)):
            assert time.monotonic() < deadline, "the workers were not ready in time"
            time.sleep(0.1)
        (url,) = (str(event["url"]) for event in events(log) if event["event"] == "status_page")
        time.sleep(2.5)  # two looks at the state
        yield url


def series(page: str) -> dict[str, float]:
    with urllib.request.urlopen(page + "metrics", timeout=WAIT_S) as answer:
        lines = answer.read().decode().splitlines()
    pairs = (line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
    return {name: float(value) for name, value in pairs}


@pytest.mark.docker
def test_every_metric_of_the_catalogue_is_exported(page: str) -> None:
    spreads = {f"{spread.name}_{part}" for spread in SPREADS for part in ("bucket", "count", "sum")}

    assert {name.partition("{")[0] for name in series(page)} == spreads | {metric.name for metric in METRICS}


@pytest.mark.docker
def test_sandbox_and_workers_are_seen(page: str) -> None:
    got = series(page)

    assert got["assay_sandbox_self_check_passed"] == 1
    assert got["assay_sandbox_self_check_timestamp_seconds"] == pytest.approx(time.time(), abs=WAIT_S)
    assert got["assay_sandbox_programs_total"] >= 1
    assert got["assay_sandbox_busy"] == 0
    assert got['assay_sandbox_info{backend="docker"}'] == 1
    assert got["assay_workers_alive"] >= 2
    assert got['assay_grade_seconds_count{cost_class="SANDBOX",reward="code"}'] == 1


@pytest.mark.docker
@pytest.mark.parametrize(("scheme", "width"), [("light", 1200), ("dark", 1200), ("light", 360)])
def test_a_browser_draws_the_page(page: str, scheme: str, width: int) -> None:
    chromium = which("chromium")
    if chromium is None:
        missing("no chromium is installed")
    from playwright.sync_api import sync_playwright

    said: list[str] = []
    with sync_playwright() as drivers:
        browser = drivers.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        tab = browser.new_page(viewport={"width": width, "height": 800}, color_scheme=scheme)
        tab.on("console", lambda message: said.append(message.text))
        tab.on("pageerror", lambda error: said.append(str(error)))
        tab.goto(page)
        tab.wait_for_selector("h1")
        text = tab.inner_text("main")
        sideways = tab.evaluate("document.documentElement.scrollWidth > window.innerWidth")
        ground = tab.evaluate("getComputedStyle(document.body).backgroundColor")
        browser.close()

    assert said == []
    assert not sideways
    assert ("code" in text, "docker" in text, "passed" in text) == (True, True, True)
    assert (ground == "rgb(15, 20, 27)") is (scheme == "dark")
