"""A checkpoint behind the OpenAI-compatible HTTP interface, so that other harnesses can ask it.

    GET  /v1/models
    POST /v1/chat/completions   [system,] user: rendered by the run's own prompt template
    POST /v1/completions        a prompt as it is, with no template

One choice, no streaming, no log-probabilities: what cannot be done, or is not known here, is
refused with a sentence and status 400, never answered in another way than asked. When too
many questions wait, the next is status 429.
"""

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from time import time
from typing import Any
from uuid import uuid4

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from evals.asking.models import Answer
from evals.serving.batcher import Asked, Batcher, Generate, QueueFullError
from evals.serving.openai_request import RefusedError, parse, read_asking, read_messages, read_prompt
from tasks.prompts import PromptTemplate


@dataclass(frozen=True, kw_only=True, slots=True)
class Served:
    """What is served, in batches of `rows`. `length` counts the tokens of a prompt, `tokens` of a completion.

    `cut(text, n)` returns at most the first n tokens of a text, and whether that was less than all.
    """

    name: str
    system: str
    max_prompt_tokens: int
    rows: int
    generate: Generate
    length: Callable[[str], int]
    tokens: Callable[[str], int]
    cut: Callable[[str, int], tuple[str, bool]]


def app(served: Served) -> Starlette:
    """Build the application."""
    batcher = Batcher(served.generate, rows=served.rows)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncGenerator[None]:
        async with batcher.running():
            yield

    async def models(_: Request) -> Response:
        return JSONResponse({"object": "list", "data": [{"id": served.name, "object": "model"}]})

    async def model(request: Request) -> Response:
        if request.path_params["name"] != served.name:
            return _error(404, "invalid_request_error", f"model: only {served.name!r} is served")
        return JSONResponse({"id": served.name, "object": "model"})

    async def chat(fields: Mapping[str, Any]) -> Response:
        system, question = read_messages(fields)
        template = PromptTemplate(system=served.system if system is None else system)
        answer, usage = await _complete(batcher, served, fields, template.render(question))
        message = {"role": "assistant", "content": answer.text}
        return _response("chat.completion", served.name, {"message": message}, answer, usage)

    async def complete(fields: Mapping[str, Any]) -> Response:
        answer, usage = await _complete(batcher, served, fields, read_prompt(fields))
        return _response("text_completion", served.name, {"text": answer.text}, answer, usage)

    return Starlette(
        routes=[
            Route("/v1/models", models),
            Route("/v1/models/{name:path}", model),
            Route("/v1/chat/completions", _refusing(chat, served.name), methods=["POST"]),
            Route("/v1/completions", _refusing(complete, served.name), methods=["POST"]),
        ],
        lifespan=lifespan,
    )


def _refusing(
    answer: Callable[[Mapping[str, Any]], Awaitable[Response]], model: str
) -> Callable[[Request], Awaitable[Response]]:
    """Parse the request before `answer`, and turn a refusal into the interface's error object."""

    async def handle(request: Request) -> Response:
        try:
            return await answer(parse(await request.body(), model=model))
        except RefusedError as error:
            return _error(error.status, "invalid_request_error", str(error))
        except QueueFullError:
            return _error(
                429, "rate_limit_error", "too many questions wait, ask again later", retry_after_s=1
            )

    return handle


def _error(status: int, kind: str, message: str, *, retry_after_s: int | None = None) -> Response:
    headers = {} if retry_after_s is None else {"retry-after": str(retry_after_s)}
    body = {"message": message, "type": kind, "code": status}
    return JSONResponse({"error": body}, status_code=status, headers=headers)


async def _complete(
    batcher: Batcher, served: Served, fields: Mapping[str, Any], prompt: str
) -> tuple[Answer, Mapping[str, int]]:
    asking = read_asking(fields)
    length = served.length(prompt)
    if length > served.max_prompt_tokens:
        raise RefusedError(
            400, f"the prompt has {length} tokens, at most {served.max_prompt_tokens} are taken"
        )
    answer = await batcher.ask(Asked(prompt=prompt, temperature=asking.temperature, seed=asking.seed))
    if asking.max_tokens is not None:
        text, cut = served.cut(answer.text, asking.max_tokens)
        answer = Answer(text=text, truncated=cut or answer.truncated)
    answer = _stopped(answer, asking.stops)
    written = served.tokens(answer.text)
    return answer, {
        "prompt_tokens": length,
        "completion_tokens": written,
        "total_tokens": length + written,
    }


def _stopped(answer: Answer, stops: Sequence[str]) -> Answer:
    """Cut before the first stop text."""
    ends = [end for stop in stops if (end := answer.text.find(stop)) >= 0]
    return Answer(text=answer.text[: min(ends)], truncated=False) if ends else answer


def _response(
    kind: str, model: str, content: Mapping[str, object], answer: Answer, usage: Mapping[str, int]
) -> Response:
    finish = {"finish_reason": "length" if answer.truncated else "stop", "logprobs": None}
    return JSONResponse(
        {
            "id": f"{kind}-{uuid4().hex}",
            "object": kind,
            "created": int(time()),
            "model": model,
            "choices": [{"index": 0, **finish, **content}],
            "usage": usage,
        }
    )
