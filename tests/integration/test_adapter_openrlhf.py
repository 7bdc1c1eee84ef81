"""OpenRLHF's own request, over a socket, to its front and a live server behind it."""

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
import uvicorn

from reward_client.adapters.openrlhf import application
from reward_server.api import Grade, Verdict
from reward_server.errors import GraderTimeoutError
from tests.fake_rewards import Inline, completion
from tests.live import live

PROMPT = "user: what is 2 + 2?\nassistant: "
LABEL = '{"reward": "inline", "math": {"answer": "4"}}'
WAIT_S = 30.0


def judge(answer: str) -> Grade:
    if answer == "broken":
        raise GraderTimeoutError("the grader ran out of its budget")
    return Grade(value=0.5, verdict=Verdict.PARTIAL, explanation="half")


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with live(Inline(judge)) as address:
        yield address


@asynccontextmanager
async def front(address: str, **settings: Any) -> AsyncIterator[str]:
    """The application behind a real HTTP server; yields the URL that OpenRLHF is given."""
    app = application(address, **settings)
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=0, log_level="warning", lifespan="on"))
    serving = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
        assert not serving.done()
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}/get_reward"
    server.should_exit = True
    await serving


async def post(url: str, *answers: str, label: str = LABEL) -> httpx.Response:
    """Send what `SingleTurnAgentExecutor._fetch_rewards_via_http` of OpenRLHF 0.11.0 sends."""
    texts = [PROMPT + completion(answer) for answer in answers]
    fields = {"query": texts, "prompts": [PROMPT] * len(texts), "labels": [label] * len(texts)}
    async with httpx.AsyncClient(timeout=WAIT_S) as client:
        return await client.post(url, json=fields)


async def test_scores_come_back_in_the_three_lists(address: str) -> None:
    async with front(address) as url:
        answer = await post(url, "x", "y")

    assert answer.status_code == 200
    assert answer.json() == {
        "rewards": pytest.approx([0.6, 0.6]),
        "scores": pytest.approx([0.6, 0.6]),
        "extra_logs": {"correctness": [0.5, 0.5], "format": [1.0, 1.0]},
    }


async def test_the_empty_call_of_a_further_url_is_answered(address: str) -> None:
    async with front(address) as url:
        assert (await post(url)).json()["rewards"] == []


async def test_a_failure_is_unavailable_and_no_reward(address: str) -> None:
    async with front(address, timeout_s=1.0) as url:
        answer = await post(url, "x", "broken")

    assert answer.status_code == 503
    assert "GRADER_TIMEOUT" in answer.json()["error"]
    assert "rewards" not in answer.json()


async def test_a_server_that_is_away_is_unavailable(address: str) -> None:
    async with front("127.0.0.1:1", timeout_s=1.0) as url:
        assert (await post(url, "x")).status_code == 503


@pytest.mark.parametrize("label", ["18", '{"reward": "nobody", "math": {"answer": "4"}}'])
async def test_a_label_that_cannot_be_used_is_refused_at_once(address: str, label: str) -> None:
    async with front(address) as url:
        assert (await post(url, "x", label=label)).status_code == 422


def test_off_loopback_it_does_not_start_unasked() -> None:
    command = [sys.executable, "-m", "reward_client.adapters.openrlhf", "--listen", "0.0.0.0:0"]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=WAIT_S, check=False)

    assert ended.returncode == 2
    assert "--insecure" in ended.stderr
