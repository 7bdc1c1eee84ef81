"""Answers from any OpenAI-compatible endpoint: asynchronous, bounded, retried.

The endpoint renders the chat template, so only the system text and the question are
sent. What cannot be asked at all (a wrong key, an unknown model) ends the evaluation;
a question that keeps failing is left without an answer, which is not a wrong answer.
"""

import asyncio
import os
import random
from collections import deque
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any

import httpx

from evals.asking.completions import Sampling
from evals.asking.models import Answer, Question
from evals.errors import EndpointError
from tasks.prompts import SYSTEM

_ATTEMPTS = 6
_FIRST_WAIT_S = 0.5
_LONGEST_WAIT_S = 30.0
_TIMEOUT_S = 600.0  # of one completion: a loaded server queues
# One question may be too long or malformed for the endpoint; others need not be.
_REFUSED = frozenset({400, 413, 422})
_RETRIED = frozenset({408, 409, 425, 429, 500, 502, 503, 504, 529})
_EXCERPT = 300
_FAILED_IN_A_ROW = 20  # questions that got no answer, one after the other: the endpoint is gone


class EndpointModel:
    """`model` at `base_url`, e.g. `http://127.0.0.1:8000/v1`; the key is taken from OPENAI_API_KEY."""

    def __init__(
        self,
        base_url: str,
        model: str,
        *,
        max_new_tokens: int,
        concurrency: int,
        system: str = SYSTEM,
        first_wait_s: float = _FIRST_WAIT_S,
        timeout_s: float = _TIMEOUT_S,
    ) -> None:
        self._url = f"{base_url.rstrip('/')}/chat/completions"
        self._model = model
        self._system = system
        self._concurrency = concurrency
        self._first_wait_s = first_wait_s
        self._timeout_s = timeout_s
        self.name = f"{model} at {base_url}"
        self.identity = f"{base_url.rstrip('/')}\n{model}\n{system}"
        self.prompt_hash: str | None = None
        self.max_new_tokens = max_new_tokens

    def takes(self, prompt: str) -> bool:
        """Say yes: the endpoint knows its limit, and refuses what is longer."""
        return True

    def answer(
        self,
        questions: Sequence[Question],
        *,
        missing: Collection[int],
        sampling: Sampling,
        on_answer: Callable[[int, Answer], None],
    ) -> None:
        """Ask at most `concurrency` questions at once.

        Raises:
            EndpointError: the endpoint refuses every question, or cannot be reached.
        """
        asyncio.run(self._answer(questions, sorted(missing), sampling, on_answer))

    async def _answer(
        self,
        questions: Sequence[Question],
        missing: Sequence[int],
        sampling: Sampling,
        on_answer: Callable[[int, Answer], None],
    ) -> None:
        waiting = deque(missing)
        failed_in_a_row, answered, last_failure = 0, 0, ""
        limits = httpx.Limits(max_connections=self._concurrency)

        async def work(client: httpx.AsyncClient) -> None:
            nonlocal failed_in_a_row, answered, last_failure
            while waiting:
                index = waiting.popleft()
                body = self._body(questions[index], sampling)
                try:
                    answer = await self._ask(client, body)
                except _UnansweredError as error:
                    failed_in_a_row, last_failure = failed_in_a_row + 1, str(error)
                    if failed_in_a_row >= _FAILED_IN_A_ROW:
                        raise EndpointError(
                            f"{self._url} left {failed_in_a_row} questions in a row without an answer; "
                            f"the last: {error}. Answers so far are kept: run the same command again"
                        ) from error
                    continue
                failed_in_a_row, answered = 0, answered + 1
                on_answer(index, answer)

        async with httpx.AsyncClient(headers=_headers(), limits=limits, timeout=self._timeout_s) as client:
            try:
                async with asyncio.TaskGroup() as group:
                    for _ in range(min(self._concurrency, len(missing))):
                        group.create_task(work(client))
            except* EndpointError as errors:
                raise errors.exceptions[0] from None
        if last_failure and not answered:
            raise EndpointError(
                f"{self._url} answered none of {len(missing)} questions; the last: {last_failure}"
            )

    def _body(self, question: Question, sampling: Sampling) -> dict[str, Any]:
        messages = [{"role": "system", "content": self._system}, {"role": "user", "content": question.prompt}]
        body: dict[str, Any] = {
            "model": self._model,
            "messages": messages if self._system else messages[1:],
            "temperature": sampling.temperature,
            "max_tokens": sampling.max_new_tokens,
        }
        # A seed of its own for each sample: the same seed would give the same text again.
        return body if sampling.temperature == 0 else {**body, "seed": sampling.seed + question.sample_index}

    async def _ask(self, client: httpx.AsyncClient, body: dict[str, Any]) -> Answer:
        """Ask one question, again after failures that may pass.

        Raises:
            _UnansweredError: every attempt failed, or this question is refused.
            EndpointError: no question would be answered.
        """
        answered: Answer | _Retry | None = None
        for attempt in range(_ATTEMPTS):
            if isinstance(answered, _Retry):
                await asyncio.sleep(self._wait_s(attempt, answered))
            answered = await self._try(client, body)
            if isinstance(answered, Answer):
                return answered
        assert isinstance(answered, _Retry)
        raise _UnansweredError(f"{_ATTEMPTS} attempts failed, the last with {answered.why}")

    async def _try(self, client: httpx.AsyncClient, body: dict[str, Any]) -> "Answer | _Retry":
        try:
            async with asyncio.timeout(self._timeout_s):  # httpx bounds each read, not all of them
                response = await client.post(self._url, json=body)
        except httpx.InvalidURL as error:
            raise EndpointError(f"endpoint: {self._url!r} is no URL: {error}") from error
        except httpx.RequestError as error:
            return _Retry(why=f"{type(error).__name__}: {error}", after_s=None)
        except TimeoutError:
            return _Retry(why=f"no whole answer in {self._timeout_s:g} s", after_s=None)
        if response.is_success:
            return self._read(response)
        why = f"status {response.status_code}: {response.text[:_EXCERPT]}"
        if response.status_code in _REFUSED:
            raise _UnansweredError(why)
        if response.status_code not in _RETRIED:
            raise EndpointError(f"{self._url} refuses model {self._model!r} with {why}")
        return _Retry(why=why, after_s=_seconds(response.headers.get("retry-after", "")))

    def _wait_s(self, attempt: int, retry: "_Retry") -> float:
        """Wait as long as was asked for, else twice as long each time, with jitter."""
        if retry.after_s is not None:
            return min(retry.after_s, _LONGEST_WAIT_S)
        longest = min(_LONGEST_WAIT_S, self._first_wait_s * 2**attempt)
        return longest * random.uniform(0.5, 1.0)  # noqa: S311 - jitter keeps no secret

    def _read(self, response: httpx.Response) -> "Answer | _Retry":
        try:
            body: Any = response.json()
        except ValueError:  # cut on the way, or a proxy's page: the next attempt may be whole
            return _Retry(why=f"no JSON: {response.text[:_EXCERPT]!r}", after_s=None)
        if _is_error(body):
            return _Retry(why=f"an error with status 200: {response.text[:_EXCERPT]}", after_s=None)
        try:
            choice: Any = body["choices"][0]
            text = choice["message"]["content"] or ""
            return Answer(text=str(text), truncated=choice.get("finish_reason") == "length")
        except (LookupError, TypeError, AttributeError) as error:
            raise EndpointError(
                f"{self._url} answered in another form than chat completions: {response.text[:_EXCERPT]}"
            ) from error


def _is_error(body: object) -> bool:
    return isinstance(body, dict) and "error" in body and "choices" not in body


def _headers() -> dict[str, str]:
    key = os.environ.get("OPENAI_API_KEY", "").strip()
    if not (key.isascii() and key.isprintable()):
        raise EndpointError("OPENAI_API_KEY: holds characters that no header takes; set it anew")
    return {"authorization": f"Bearer {key}"} if key else {}


def _seconds(after: str) -> float | None:
    """Read how long an endpoint asks to wait; a date, or anything else, is None."""
    try:
        seconds = float(after)
    except ValueError:
        return None
    return seconds if 0 <= seconds < float("inf") else None


@dataclass(frozen=True, kw_only=True, slots=True)
class _Retry:
    """A failure that may pass; `after_s` where the endpoint says when."""

    why: str
    after_s: float | None


class _UnansweredError(Exception):
    """One question got no answer; others may."""
