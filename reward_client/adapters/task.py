"""Which reward judges a row, and against what: the part of a sample that a dataset knows. Pure.

A framework that is configured by code hands us a function that makes a `Task` of a row.
One that carries a single field per row (verl's ground truth, OpenRLHF's label) holds it in
that field, in one of two forms:

    {"reward": "code", "code": {"tests": ["assert f(1) == 2"]}}     a reward.v1.Sample in JSON
    18                                                              plain text, with the reward named apart
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

from google.protobuf import json_format
from reward.v1 import reward_pb2 as pb

from reward_client.api import BooleanReference, MathReference, Reference, RewardRequestError, TextReference
from reward_client.wire import read_sample

_BOOLEANS = {"true": True, "yes": True, "false": False, "no": False}


@dataclass(frozen=True, kw_only=True, slots=True)
class Task:
    """One row's reward, by name, and its typed reference."""

    reward: str
    reference: Reference


def read_task(value: object, *, reward: str | None = None) -> Task:
    """Read a row's one field; `reward` names the reward of plain text.

    Raises:
        RewardRequestError: the field is in neither form, or its reward needs more than plain text.
    """
    if isinstance(value, Mapping):
        return _from_fields(cast("Mapping[str, object]", value))
    if not isinstance(value, str):
        raise RewardRequestError(f"the reference {value!r} is a {type(value).__name__}, give text or JSON")
    if value.lstrip().startswith("{"):
        try:
            return _from_fields(json.loads(value))
        except json.JSONDecodeError:
            pass  # LaTeX may open with a brace, too
    if reward is None:
        raise RewardRequestError(f"the reference {value!r} is plain text, and no reward is named for it")
    return Task(reward=reward, reference=_from_text(value, reward))


def _from_fields(fields: Mapping[str, object]) -> Task:
    try:
        sample = read_sample(json_format.ParseDict(dict(fields), pb.Sample()))
    except (json_format.ParseError, ValueError) as error:
        raise RewardRequestError(f"the reference {fields!r} is no reward.v1.Sample: {error}") from error
    if not sample.reward:
        raise RewardRequestError(f"the reference {fields!r} names no reward")
    return Task(reward=sample.reward, reference=sample.reference)


def _from_text(text: str, reward: str) -> Reference:
    match reward:
        case "math":
            return MathReference(answer=text)
        case "boolean":
            value = _BOOLEANS.get(text.strip().lower())
            if value is None:
                raise RewardRequestError(
                    f"the reference {text!r} of a boolean is none of {', '.join(_BOOLEANS)}"
                )
            return BooleanReference(value=value)
        case "summary" | "writing" | "ideation":
            return TextReference(reference=text)
        case _:
            raise RewardRequestError(
                f"reward {reward!r} takes more than plain text: give the reference as JSON, "
                '{"reward": ..., "code": {...}}'
            )
