"""An OpenAI-compatible endpoint is asked over real HTTP: bounded, retried, and given up in time."""

import asyncio
import os
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from evals.asking.completions import Sampling
from evals.asking.endpoint import EndpointModel
from evals.asking.models import Answer, Question
from evals.errors import EndpointError
from tests.http_servers import serving_app

GREEDY = Sampling(samples=1, temperature=0.0, seed=5, max_new_tokens=32)
DRAWN = Sampling(samples=2, temperature=0.7, seed=5, max_new_tokens=32)


def said(text: str, *, reason: str = "stop") -> Response:
    choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": reason}
    return JSONResponse({"object": "chat.completion", "choices": [choice]})


@contextmanager
def serving(answer: Callable[[Request, dict], Awaitable[Response]]) -> Iterator[str]:
    async def completions(request: Request) -> Response:
        return await answer(request, await request.json())

    with serving_app(Starlette(routes=[Route("/v1/chat/completions", completions, methods=["POST"])])) as url:
        yield f"{url}/v1"


def answers(
    url: str,
    prompts: list[str],
    sampling: Sampling = GREEDY,
    *,
    concurrency: int = 4,
    timeout_s: float = 600.0,
) -> dict[int, Answer]:
    model = EndpointModel(
        url, "tiny", max_new_tokens=32, concurrency=concurrency, first_wait_s=0.01, timeout_s=timeout_s
    )
    questions = [
        Question(prompt=prompt, sample_index=index) for prompt in prompts for index in range(sampling.samples)
    ]
    got: dict[int, Answer] = {}
    model.answer(questions, missing=range(len(questions)), sampling=sampling, on_answer=got.__setitem__)
    return got


def test_each_question_is_asked_with_the_system_text_and_its_own_seed() -> None:
    bodies: list[dict] = []

    async def answer(request: Request, body: dict) -> Response:
        bodies.append(body)
        return said(body["messages"][-1]["content"].upper(), reason="length")

    with serving(answer) as url:
        got = answers(url, ["one", "two"], DRAWN)

    assert {index: item.text for index, item in got.items()} == {0: "ONE", 1: "ONE", 2: "TWO", 3: "TWO"}
    assert all(item.truncated for item in got.values())
    assert Counter(body["seed"] for body in bodies) == {5: 2, 6: 2}
    assert [message["role"] for message in bodies[0]["messages"]] == ["system", "user"]
    assert (bodies[0]["model"], bodies[0]["temperature"], bodies[0]["max_tokens"]) == ("tiny", 0.7, 32)


def test_no_more_questions_are_in_flight_than_asked_for() -> None:
    now, most = 0, 0

    async def answer(request: Request, body: dict) -> Response:
        nonlocal now, most
        now += 1
        most = max(most, now)
        await asyncio.sleep(0.02)
        now -= 1
        return said("x")

    with serving(answer) as url:
        assert len(answers(url, [str(n) for n in range(20)], concurrency=3)) == 20

    assert most == 3


@pytest.mark.parametrize(
    "refusal",
    [
        PlainTextResponse("slow down", status_code=429, headers={"retry-after": "0"}),
        PlainTextResponse("oops", status_code=500),
        PlainTextResponse("loading", status_code=503),
        PlainTextResponse("slow down", status_code=429, headers={"retry-after": "0.01"}),
        PlainTextResponse(
            "slow down", status_code=429, headers={"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT"}
        ),
        PlainTextResponse('{"choices": [{"mess', media_type="application/json"),
        PlainTextResponse("<html>a proxy's page</html>"),
        JSONResponse({"error": {"message": "upstream is down", "code": 502}}),
        Response(b"not gzip", headers={"content-encoding": "gzip"}),
    ],
    ids=["429", "500", "503", "429-fraction", "429-date", "cut", "no-json", "error-200", "encoding"],
)
def test_a_passing_failure_costs_a_retry_and_no_answer(refusal: Response) -> None:
    tries: Counter[str] = Counter()

    async def answer(request: Request, body: dict) -> Response:
        prompt = body["messages"][-1]["content"]
        tries[prompt] += 1
        return refusal if tries[prompt] <= 2 else said(prompt)

    with serving(answer) as url:
        got = answers(url, ["a", "b", "c"])

    assert [got[index].text for index in range(3)] == ["a", "b", "c"]
    assert set(tries.values()) == {3}


def test_a_question_that_the_endpoint_refuses_is_left_without_an_answer() -> None:
    async def answer(request: Request, body: dict) -> Response:
        prompt = body["messages"][-1]["content"]
        return PlainTextResponse("too long", status_code=400) if prompt == "b" else said(prompt)

    with serving(answer) as url:
        got = answers(url, ["a", "b", "c"])

    assert {index: item.text for index, item in got.items()} == {0: "a", 2: "c"}


def test_an_endpoint_that_refuses_every_question_says_why() -> None:
    async def answer(request: Request, body: dict) -> Response:
        return PlainTextResponse("max_tokens is too large", status_code=400)

    with serving(answer) as url, pytest.raises(EndpointError, match=r"none of 3 questions.*too large"):
        answers(url, ["a", "b", "c"])


def test_an_answer_that_trickles_in_is_given_up_as_a_whole() -> None:
    """Each read is quick, so that only a bound on all of them ends the wait."""
    stopped = asyncio.Event()

    async def trickle() -> AsyncIterator[bytes]:
        while not stopped.is_set():
            yield b" "
            await asyncio.sleep(0.05)

    async def answer(request: Request, body: dict) -> Response:
        if body["messages"][-1]["content"] == "slow":
            return StreamingResponse(trickle(), media_type="application/json")
        return said("x")

    with serving(answer) as url:
        got = answers(url, ["slow", "quick"], timeout_s=0.3)
        stopped.set()

    assert set(got) == {1}


@pytest.mark.parametrize(("key", "says"), [("sk-é", "OPENAI_API_KEY"), ("sk-a\x00b", "OPENAI_API_KEY")])
def test_a_key_that_no_header_takes_is_named_and_not_shown(
    key: str, says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.environ", {**os.environ, "OPENAI_API_KEY": key})

    with pytest.raises(EndpointError, match=says) as caught:
        answers("http://127.0.0.1:1/v1", ["a"])

    assert key not in str(caught.value)


def test_a_url_that_is_none_is_said_to_be_none() -> None:
    with pytest.raises(EndpointError, match="is no URL"):
        answers("http://127.0.0.1:port/v1", ["a"])


def test_an_unknown_model_ends_the_evaluation_with_what_the_endpoint_said() -> None:
    async def answer(request: Request, body: dict) -> Response:
        return PlainTextResponse("no such model", status_code=404)

    with serving(answer) as url, pytest.raises(EndpointError, match=r"'tiny'.*404.*no such model"):
        answers(url, ["a"] * 50)


def test_an_endpoint_that_is_gone_is_given_up_and_named() -> None:
    with serving(lambda request, body: said("never")) as url:  # type: ignore[arg-type,return-value]
        pass

    with pytest.raises(EndpointError, match=r"20 questions in a row.*run the same command again"):
        answers(url, [str(n) for n in range(100)], concurrency=16)


def test_an_answer_of_another_form_is_said_to_be_one() -> None:
    async def answer(request: Request, body: dict) -> Response:
        return JSONResponse({"text": "completion"})

    with serving(answer) as url, pytest.raises(EndpointError, match="another form"):
        answers(url, ["a"])


def test_the_key_is_sent_and_stays_out_of_errors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    seen: list[str | None] = []

    async def answer(request: Request, body: dict) -> Response:
        seen.append(request.headers.get("authorization"))
        return PlainTextResponse("forbidden", status_code=403)

    with serving(answer) as url, pytest.raises(EndpointError) as caught:
        answers(url, ["a"])

    assert seen == ["Bearer sk-secret"]
    assert "sk-secret" not in str(caught.value)
