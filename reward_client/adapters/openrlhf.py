"""OpenRLHF's remote reward over HTTP: `python -m reward_client.adapters.openrlhf`, and `--reward.remote_url`.

    POST /get_reward  {"query": [...], "prompts": [...], "labels": [...]}
    200               {"rewards": [...], "scores": [...], "extra_logs": {name: [...]}}

`query` is prompt and response with the template's special tokens, `prompts` the prompt that
was sent, `labels` the dataset's label: JSON in the form of `task.read_task`, or plain text
where `--reward` names its reward. With several URLs OpenRLHF sends empty lists to all but one.

The shape has no word for "no score". What has none after retries is answered with 503, what
cannot be read with 422; OpenRLHF asks five times and then has no reward, which ends the run.
Needs starlette and uvicorn. HTTP without a token: it stays on loopback unless told otherwise.
"""

import argparse
import ipaddress
import json
import sys
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from reward_client.adapters.gather import Gathered, Scorer
from reward_client.adapters.insist import NoScoreError, insist_async
from reward_client.adapters.task import read_task
from reward_client.api import RewardClientError, RewardRequestError, Sample, Score
from reward_client.batches import MAX_MESSAGE_BYTES
from reward_client.client import PLAIN, AsyncRewardClient
from reward_client.security import Security

# OpenRLHF gives up after 180 s; the answer must be there before.
DEFAULT_TIMEOUT_S = 170.0
# A left-truncated prompt is found in the query by this many characters.
_HEAD_CHARS = 32


def application(
    addresses: str | Sequence[str],
    *,
    reward: str | None = None,
    stops: Sequence[str] = (),
    timeout_s: float = DEFAULT_TIMEOUT_S,
    security: Security = PLAIN,
) -> Starlette:
    """Return the ASGI application; `stops` are end-of-turn tokens that are no part of a completion."""

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncGenerator[None]:
        async with AsyncRewardClient(addresses, security=security) as client:
            app.state.scorer = Gathered(client)
            yield

    async def get_reward(request: Request) -> Response:
        scorer: Scorer = request.app.state.scorer
        try:
            samples = read_request(await _body(request), reward=reward, stops=stops)
            scores = await insist_async(scorer, samples, timeout_s=timeout_s)
        except RewardRequestError as error:
            return _refusal(422, error)
        except NoScoreError as error:
            return _refusal(422 if error.lasting else 503, error)
        except RewardClientError as error:
            return _refusal(503, error)
        return JSONResponse(write_response(scores))

    return Starlette(routes=[Route("/get_reward", get_reward, methods=["POST"])], lifespan=lifespan)


def read_request(body: bytes, *, reward: str | None, stops: Sequence[str]) -> list[Sample]:
    """Read the samples of one request.

    Raises:
        RewardRequestError: names the field that cannot be read.
    """
    try:
        fields: object = json.loads(body)
    except ValueError as error:
        raise RewardRequestError(f"the body is no JSON: {error}") from error
    columns = [_texts(fields, name) for name in ("query", "prompts", "labels")]
    lengths = [len(column) for column in columns]
    if len(set(lengths)) != 1:
        raise RewardRequestError(
            f"query, prompts and labels have {lengths} entries, give one of each a sample"
        )
    return [
        _sample(index, *row, reward=reward, stops=stops)
        for index, row in enumerate(zip(*columns, strict=True))
    ]


def write_response(scores: Sequence[Score]) -> dict[str, Any]:
    """Write scores; `extra_logs` has the components that all of them share."""
    values = [score.value for score in scores]
    names = sorted({name for score in scores for name in score.components})
    shared = [name for name in names if all(name in score.components for score in scores)]
    logs = {name: [score.components[name] for score in scores] for name in shared}
    return {"rewards": values, "scores": values, "extra_logs": logs}


def completion_of(query: str, prompt: str, stops: Sequence[str]) -> str:
    """Cut the prompt, which OpenRLHF may have truncated on the left, and an end-of-turn token off a query.

    Raises:
        RewardRequestError: the query does not begin with the prompt or an end of it.
    """
    start = 0
    while not query.startswith(prompt[start:]):
        start = prompt.find(query[:_HEAD_CHARS], start + 1)
        if start == -1:
            raise RewardRequestError(
                f"query {query[:80]!r}... does not begin with its prompt {prompt[:80]!r}... or an end of it: "
                "the tokenizer does not give back the text that it was given"
            )
    completion = query[len(prompt) - start :]
    for stop in stops:
        completion = completion.removesuffix(stop)
    return completion


def _sample(
    index: int, query: str, prompt: str, label: str, *, reward: str | None, stops: Sequence[str]
) -> Sample:
    task = read_task(label, reward=reward)
    return Sample(
        sample_id=str(index),
        reward=task.reward,
        prompt=prompt,
        completion=completion_of(query, prompt, stops),
        reference=task.reference,
        metadata={"trainer": "openrlhf"},
    )


def _texts(fields: object, name: str) -> list[str]:
    found: object = cast("dict[str, object]", fields).get(name) if isinstance(fields, dict) else None
    if isinstance(found, list):
        texts = cast("list[object]", found)
        if all(isinstance(text, str) for text in texts):
            return cast("list[str]", texts)
    raise RewardRequestError(f"{name}: give a list of texts")


async def _body(request: Request) -> bytes:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_MESSAGE_BYTES:
            raise RewardRequestError(f"the body has more than {MAX_MESSAGE_BYTES} bytes (64 MiB): send fewer")
    return bytes(body)


def _refusal(status: int, error: RewardClientError) -> Response:
    return JSONResponse({"error": str(error)}, status_code=status)


def main() -> int:
    """Serve until interrupted; returns the exit code."""
    arguments = _parser().parse_args()
    host, _, port = arguments.listen.rpartition(":")
    if not arguments.insecure and not _is_loopback(host):
        print(  # noqa: T201  (the command line's own voice)
            f"openrlhf: listen={arguments.listen!r} can be reached from other machines, unprotected: "
            "listen on 127.0.0.1, or say --insecure if the net is safe",
            file=sys.stderr,
        )
        return 2
    token = arguments.token_file.read_text(encoding="utf-8").strip() if arguments.token_file else ""
    app = application(
        arguments.address,
        reward=arguments.reward,
        stops=arguments.stop,
        timeout_s=arguments.timeout_s,
        security=Security(authority=arguments.authority, token=token),
    )
    uvicorn.run(app, host=host.strip("[]"), port=int(port), log_level="warning")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m reward_client.adapters.openrlhf", description="Answer OpenRLHF's remote rewards."
    )
    parser.add_argument("--listen", default="127.0.0.1:5000", help="HOST:PORT for OpenRLHF")
    parser.add_argument("--insecure", action="store_true", help="listen off loopback; anyone may ask")
    parser.add_argument("--address", default="127.0.0.1:50051", help="the reward server, several by comma")
    parser.add_argument("--reward", help="reward of labels that are plain text, e.g. math")
    parser.add_argument(
        "--stop", action="append", default=[], help="end-of-turn token to cut, e.g. '<|im_end|>'"
    )
    parser.add_argument("--timeout-s", type=float, default=DEFAULT_TIMEOUT_S, help="seconds for one request")
    parser.add_argument("--authority", type=Path, help="who signs the reward server's certificate (PEM)")
    parser.add_argument("--token-file", type=Path, help="file with the reward server's bearer token")
    return parser


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


if __name__ == "__main__":
    sys.exit(main())
