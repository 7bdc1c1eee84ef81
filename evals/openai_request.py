"""What a request to the OpenAI-compatible interface asks for, or why it cannot be had. Pure."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, cast

MAX_BODY = 4 * 2**20
MAX_TEMPERATURE = 10.0
# What only asks for the default, and may therefore be given.
_DEFAULTS: Mapping[str, tuple[object, ...]] = MappingProxyType(
    {
        "n": (1, None),
        "stream": (False, None),
        "top_p": (1, None),
        "logprobs": (False, None),
        "echo": (False, None),
        "frequency_penalty": (0, None),
        "presence_penalty": (0, None),
        "tools": (None, []),
        "response_format": (None, {"type": "text"}),
    }
)


class RefusedError(Exception):
    """The request cannot be answered as it was asked; `status` is HTTP's."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True, kw_only=True, slots=True)
class Asking:
    """How to answer. `max_tokens` and `seed` are None where the caller leaves them open."""

    temperature: float
    seed: int | None
    max_tokens: int | None
    stops: Sequence[str]


def parse(raw: bytes, *, model: str) -> Mapping[str, Any]:
    """Read the body of a request to `model`.

    Raises:
        RefusedError: too large, no JSON object, another model, or a field that asks for what is not done.
    """
    if len(raw) > MAX_BODY:
        raise RefusedError(413, f"the request has {len(raw)} bytes, at most {MAX_BODY} are taken")
    try:
        body: object = json.loads(raw)
    except ValueError as error:
        raise RefusedError(400, f"the request is not JSON: {error}") from error
    if not isinstance(body, dict):
        raise RefusedError(400, "the request is no JSON object")
    fields = cast("Mapping[str, Any]", body)  # JSON keys are strings
    if fields.get("model") not in (model, None):
        raise RefusedError(404, f"model: {fields['model']!r} is not served, {model!r} is")
    for name, allowed in _DEFAULTS.items():
        if name in fields and fields[name] not in allowed:
            raise RefusedError(400, f"{name}: {fields[name]!r} is not supported, leave it out")
    return fields


def read_asking(fields: Mapping[str, Any]) -> Asking:
    """Read how to answer.

    Raises:
        RefusedError: a field has a value that it cannot have.
    """
    temperature = fields.get("temperature", 1.0)
    if not _is_number(temperature) or not 0 <= temperature <= MAX_TEMPERATURE:
        raise RefusedError(
            400, f"temperature: needs a number in [0, {MAX_TEMPERATURE:g}], got {temperature!r}"
        )
    limit = fields.get("max_completion_tokens", fields.get("max_tokens"))
    if limit is not None and (not _is_whole(limit) or limit < 1):
        raise RefusedError(400, f"max_tokens: needs a positive integer, got {limit!r}")
    seed = fields.get("seed")
    if seed is not None and not _is_whole(seed):
        raise RefusedError(400, f"seed: needs an integer, got {seed!r}")
    return Asking(
        temperature=float(temperature), seed=seed, max_tokens=limit, stops=_texts("stop", fields.get("stop"))
    )


def read_messages(fields: Mapping[str, Any]) -> tuple[str | None, str]:
    """Return the system text, None without one, and the user's message.

    Raises:
        RefusedError: the conversation has another form; the policy answers one message.
    """
    listed = fields.get("messages")
    messages = cast("list[object]", listed) if isinstance(listed, list) else []
    turns: list[tuple[str, str]] = []
    for message in messages:
        turn = cast("Mapping[str, object]", message if isinstance(message, dict) else {})
        role, content = turn.get("role"), turn.get("content")
        if not isinstance(role, str) or not isinstance(content, str):
            raise RefusedError(400, "messages: each needs a role and a text as content")
        turns.append((role, content))
    match turns:
        case [("user", question)]:
            return None, question
        case [("system", system), ("user", question)]:
            return system, question
        case _:
            roles = [role for role, _ in turns]
            raise RefusedError(
                400, f"messages: needs one user message after an optional system one, got {roles}"
            )


def read_prompt(fields: Mapping[str, Any]) -> str:
    """Return the prompt of a plain completion.

    Raises:
        RefusedError: there is not exactly one text.
    """
    prompts = _texts("prompt", fields.get("prompt"))
    if len(prompts) != 1:
        raise RefusedError(400, f"prompt: needs one text, got {len(prompts)}")
    return prompts[0]


def _texts(name: str, value: object) -> Sequence[str]:
    """Read a text or a list of texts, empty ones left out."""
    listed = [value] if isinstance(value, str) else value
    if listed is None:
        return ()
    texts = cast("list[object]", listed) if isinstance(listed, list) else [None]
    if not all(isinstance(item, str) for item in texts):
        raise RefusedError(400, f"{name}: needs a text or a list of texts, got {value!r}")
    return [item for item in texts if isinstance(item, str) and item]


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
