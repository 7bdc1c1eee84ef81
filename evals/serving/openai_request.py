"""What a request to the OpenAI-compatible interface asks for, or why it cannot be had. Pure."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, cast

MAX_BODY = 4 * 2**20
MAX_TEMPERATURE = 10.0
_EXCERPT = 200
# What is done, whatever it says.
_READ = frozenset(
    {"model", "messages", "prompt", "temperature", "max_tokens", "max_completion_tokens", "seed", "stop"}
)
# What says nothing about the answer, and may therefore be given.
_IGNORED = frozenset(
    {
        "metadata",
        "parallel_tool_calls",
        "prompt_cache_key",
        "safety_identifier",
        "service_tier",
        "store",
        "stream_options",
        "user",
    }
)
# What only asks for the default, and may therefore be given. None always is.
_DEFAULTS: Mapping[str, tuple[object, ...]] = MappingProxyType(
    {
        "n": (1,),
        "best_of": (1,),
        "stream": (False,),
        "top_p": (1,),
        "top_k": (0, -1),
        "min_p": (0,),
        "logprobs": (False,),
        "top_logprobs": (0,),
        "echo": (False,),
        "frequency_penalty": (0,),
        "presence_penalty": (0,),
        "repetition_penalty": (1,),
        "logit_bias": ({},),
        "suffix": ("",),
        "tools": ([],),
        "tool_choice": ("none", "auto"),
        "functions": ([],),
        "response_format": ({"type": "text"},),
        "modalities": (["text"],),
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
    except (ValueError, RecursionError) as error:
        raise RefusedError(400, f"the request is not JSON: {error}") from error
    if not isinstance(body, dict):
        raise RefusedError(400, "the request is no JSON object")
    fields = cast("Mapping[str, Any]", body)  # JSON keys are strings
    if fields.get("model") not in (model, None):
        raise RefusedError(404, f"model: {fields['model']!r} is not served, {model!r} is")
    for name, value in fields.items():
        if value is None or name in _READ or name in _IGNORED or value in _DEFAULTS.get(name, ()):
            continue
        raise RefusedError(400, f"{name}: {_shown(value)} is not supported, leave it out")
    return fields


def read_asking(fields: Mapping[str, Any]) -> Asking:
    """Read how to answer.

    Raises:
        RefusedError: a field has a value that it cannot have.
    """
    temperature = 1.0 if fields.get("temperature") is None else fields["temperature"]
    if not _is_number(temperature) or not 0 <= temperature <= MAX_TEMPERATURE:
        raise RefusedError(
            400, f"temperature: needs a number in [0, {MAX_TEMPERATURE:g}], got {_shown(temperature)}"
        )
    limit = fields.get("max_completion_tokens")
    limit = fields.get("max_tokens") if limit is None else limit
    if limit is not None and (not _is_whole(limit) or limit < 1):
        raise RefusedError(400, f"max_tokens: needs a positive integer, got {_shown(limit)}")
    seed = fields.get("seed")
    if seed is not None and not (_is_whole(seed) and -(2**63) <= seed < 2**63):
        raise RefusedError(400, f"seed: needs an integer of 64 bits, got {_shown(seed)}")
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
        role, content = turn.get("role"), _content(turn.get("content"))
        if not isinstance(role, str) or content is None:
            raise RefusedError(400, "messages: each needs a role and a text, or parts of text, as content")
        turns.append(("system" if role == "developer" else role, _unicode("messages", content)))
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
    return _unicode("prompt", prompts[0])


def _content(value: object) -> str | None:
    """Join the texts of a message, None where it holds anything else."""
    if isinstance(value, str):
        return value
    parts = cast("list[object]", value) if isinstance(value, list) else [None]
    texts: list[str] = []
    for part in parts:
        fields = cast("Mapping[str, object]", part if isinstance(part, dict) else {})
        text = fields.get("text")
        if fields.get("type") != "text" or not isinstance(text, str):
            return None
        texts.append(text)
    return "".join(texts)


def _unicode(name: str, text: str) -> str:
    if any("\ud800" <= letter <= "\udfff" for letter in text):
        raise RefusedError(400, f"{name}: holds half of a surrogate pair, which is no text")
    return text


def _shown(value: object) -> str:
    return repr(value)[:_EXCERPT]


def _texts(name: str, value: object) -> Sequence[str]:
    """Read a text or a list of texts, empty ones left out."""
    listed = [value] if isinstance(value, str) else value
    if listed is None:
        return ()
    texts = cast("list[object]", listed) if isinstance(listed, list) else [None]
    if not all(isinstance(item, str) for item in texts):
        raise RefusedError(400, f"{name}: needs a text or a list of texts, got {_shown(value)}")
    return [item for item in texts if isinstance(item, str) and item]


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
