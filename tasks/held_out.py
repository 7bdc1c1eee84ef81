"""Calls for held-out tests of MBPP, from the inputs of MBPP+.

MBPP+ has a hundred inputs for a problem, stored as JSON, which knows no tuple, set or complex
number. A visible test of the problem shows which types its arguments have; an input that cannot
be brought into those types is dropped. What the tests do with the result (`set(f(..))`,
`int(f(..))`, truth alone) is taken over from them as well. Expected values are not made here:
they come from running solutions, which the reward server's side does.
"""

import ast
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, Final

# Task id -> why its inputs are not used.
EXCLUDED: Final[Mapping[str, str]] = MappingProxyType(
    {
        "287": "the solution divides with floats and is off by one for large numbers (EvalPlus issue 308)",
        "255": "the product of the inputs takes seconds to minutes for any solution",
        "392": "the inputs take seconds for any solution",
        "599": "the inputs take seconds for any solution",
    }
)
# Tasks whose text asks for members without an order, which the visible tests then fix by chance.
UNORDERED: Final = frozenset({"2", "7", "111", "140", "232", "249", "579", "769"})
_NUMBERS: Final = frozenset({int, float})
_SEQUENCES: Final = frozenset({list, tuple, set})


class UnfitError(Exception):
    """An input that cannot be brought into the types of the visible tests."""


def with_calls(row: Mapping[str, Any], plus: Mapping[str, Any]) -> dict[str, Any]:
    """Add the columns `hidden_calls` and `other_solutions` to a row of MBPP, from its row of MBPP+."""
    calls = hidden_calls(
        str(row["task_id"]), row["test_list"], plus["entry_point"], [*plus["base_input"], *plus["plus_input"]]
    )
    return {**row, "hidden_calls": calls, "other_solutions": [plus["canonical_solution"]]}


@dataclass(frozen=True, kw_only=True, slots=True)
class _Shown:
    """What a visible test calls: the arguments, and the conversions around the call, outermost first."""

    conversions: tuple[str, ...]
    arguments: tuple[object, ...]


def hidden_calls(task_id: str, tests: Sequence[str], entry_point: str, inputs: Sequence[Any]) -> list[str]:
    """Write a call for each input that fits and that no visible test shows, in the given order."""
    shown = [found for test in tests if (found := _shown(test, entry_point)) is not None]
    arities = {len(each.arguments) for each in shown}
    if task_id in EXCLUDED or len(arities) != 1:
        return []
    conversions = shown[0].conversions
    if task_id in UNORDERED and not conversions:
        conversions = ("set",)
    calls = dict.fromkeys(_source(entry_point, each.arguments) for each in shown)
    visible = len(calls)
    for arguments in inputs:
        if {len(arguments)} != arities:
            continue
        try:
            typed = [
                retype(value, [each.arguments[i] for each in shown]) for i, value in enumerate(arguments)
            ]
        except UnfitError:
            continue
        calls[_source(entry_point, typed)] = None
    opened, closed = "".join(f"{name}(" for name in conversions), ")" * len(conversions)
    return [f"{opened}{call}{closed}" for call in list(calls)[visible:]]


def _source(entry_point: str, arguments: Sequence[object]) -> str:
    return f"{entry_point}({', '.join(map(repr, arguments))})"


def _shown(test: str, entry_point: str) -> _Shown | None:
    """Read a visible test; None when its arguments are no literals, or it calls in another way."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # unescaped backslashes in patterns
        (statement,) = ast.parse(test.strip()).body
    assert isinstance(statement, ast.Assert), "MBPP's tests are asserts"
    match statement.test:
        case ast.Compare(left=left, comparators=[right]):
            sides, truth = (left, right), False
        case ast.Call(func=ast.Attribute(attr="isclose"), args=[left, right]):
            sides, truth = (left, right), False
        case ast.UnaryOp(operand=call):
            sides, truth = (call,), True
        case call:
            sides, truth = (call,), True
    for side in sides:
        found = _unwrapped(side, entry_point)
        if found is not None:
            return replace(found, conversions=("bool", *found.conversions)) if truth else found
    return None


def _unwrapped(node: ast.expr, entry_point: str) -> _Shown | None:
    match node:
        case ast.Call(func=ast.Name(id=name), args=arguments, keywords=[]) if name == entry_point:
            try:
                return _Shown(conversions=(), arguments=tuple(map(ast.literal_eval, arguments)))
            except ValueError:
                return None
        case ast.Call(func=ast.Name(id=name), args=[inner], keywords=[]):
            found = _unwrapped(inner, entry_point)
            return found and replace(found, conversions=(name, *found.conversions))
        case _:
            return None


def retype(value: Any, examples: Sequence[Any]) -> Any:
    """Bring a JSON value into the types of `examples`, members into those of their members.

    Raises:
        UnfitError: the examples have another kind of value, or no single one.
    """
    kinds: list[type[Any]] = list(dict.fromkeys(map(type, examples)))
    found = _kind(value)
    if found not in (list, dict):
        if examples and not any(_alike(found, kind) for kind in kinds):
            raise UnfitError(f"{found.__name__} for {[kind.__name__ for kind in kinds]}")
        return value
    if found is dict and kinds == [dict]:
        return _retype_dict(value, examples)
    if found is list and len(kinds) == 1 and kinds[0] in _SEQUENCES:
        members = [member for example in examples for member in example]
        return kinds[0](retype(member, members) for member in value)
    raise UnfitError(f"{found.__name__} for {[kind.__name__ for kind in kinds]}")


def _retype_dict(value: Mapping[str, Any], examples: Sequence[Mapping[Any, Any]]) -> dict[Any, Any]:
    keys = [key for example in examples for key in example]
    members = [member for example in examples for member in example.values()]
    if not all(isinstance(key, str) for key in keys):  # JSON has no others, and writes them as text
        raise UnfitError("keys that are no text")
    return {key: retype(member, members) for key, member in value.items()}


def _kind(value: object) -> type:
    return type(value)


def _alike(kind: type, example: type) -> bool:
    return kind is example or {kind, example} <= _NUMBERS
