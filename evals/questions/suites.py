"""Questions beside the held-out splits of the mix, by path: `humaneval=FILE`, `math=FILE`, `rows=FILE`.

humaneval   OpenAI's HumanEval: task_id, prompt, entry_point, canonical_solution, test
math        MATH-style: problem, and answer or a solution whose last \\boxed{..} holds it
rows        the user's own: prompt, reward, reference (the fields of the wire), and id if wanted

Files are JSON lines, plain or gzipped. A row that cannot be graded fairly is left out by
name with its reason; a malformed row is an error with its line.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import cast, get_type_hints

from evals.errors import SuiteError
from evals.json_lines import read_rows
from evals.questions.humaneval import UnfitTestError, to_reference
from reward_client.api import (
    BooleanReference,
    ChoiceReference,
    CodeReference,
    MathReference,
    Reference,
    TextReference,
)
from tasks.api import Demonstration, Domain, Example, Split
from tasks.datasets import REWARDS

_DOMAINS: Mapping[str, Domain] = MappingProxyType({reward: domain for domain, reward in REWARDS.items()})
_REFERENCES: Mapping[str, type] = MappingProxyType(
    {
        "math": MathReference,
        "code": CodeReference,
        "choice": ChoiceReference,
        "boolean": BooleanReference,
        "writing": TextReference,
        "ideation": TextReference,
        "summary": TextReference,
    }
)
_HUMANEVAL_PROMPT = "Complete this Python function. Answer with the whole function.\n\n"


@dataclass(frozen=True, kw_only=True, slots=True)
class Suite:
    """The questions of one file; `excluded` maps example ids to why they are left out."""

    examples: tuple[Example, ...]
    excluded: Mapping[str, str]


class _ExcludedError(Exception):
    """This row is well-formed and cannot be graded fairly."""


def load_suite(option: str) -> Suite:
    """Load `KIND=PATH`.

    Raises:
        SuiteError: an unknown kind, no such file, or a malformed row; names the line.
    """
    kind, _, path = option.partition("=")
    if kind not in _READERS or not path:
        raise SuiteError(f"suite: {option!r} is not KIND=PATH with a kind of {', '.join(_READERS)}")
    return _load(kind, Path(path))


def _load(kind: str, path: Path) -> Suite:
    read = _READERS[kind]
    name = kind if kind != "rows" else path.name.split(".")[0]
    examples: dict[str, Example] = {}
    excluded: dict[str, str] = {}
    for number, row in _rows(path):
        row_id = str(row.get("task_id") or row.get("unique_id") or row.get("id") or number)
        example_id = f"{name}/test/{row_id}"
        if example_id in examples or example_id in excluded:
            raise SuiteError(f"{path}:{number}: id {row_id!r} comes twice")
        try:
            examples[example_id] = read(_Row(row, f"{path}:{number}"), name, example_id)
        except _ExcludedError as error:
            excluded[example_id] = str(error)
    if not examples:
        raise SuiteError(f"suite: {str(path)!r} holds no question that can be graded: {dict(excluded)}")
    return Suite(examples=tuple(examples.values()), excluded=excluded)


class _Row:
    """A row whose fields are checked when they are taken."""

    def __init__(self, fields: Mapping[str, object], where: str) -> None:
        self._fields = fields
        self.where = where

    def text(self, name: str, *, default: str | None = None) -> str:
        value = self._fields.get(name, default)
        if not isinstance(value, str) or (default is None and not value.strip()):
            raise SuiteError(f"{self.where}: needs the text {name!r}, got {value!r}")
        if not _is_unicode(value):
            raise SuiteError(
                f"{self.where}: {name!r} holds half of a surrogate pair, which no model can be asked"
            )
        return value

    def number_or_text(self, name: str, *, default: str) -> str:
        value = self._fields.get(name)
        if isinstance(value, int | float) and not isinstance(value, bool):
            return repr(value)
        return self.text(name, default=default)

    def mapping(self, name: str) -> Mapping[str, object]:
        value = self._fields.get(name)
        if not isinstance(value, dict):
            raise SuiteError(f"{self.where}: needs the object {name!r}, got {value!r}")
        return cast("dict[str, object]", value)  # JSON keys are strings


def _humaneval(row: _Row, name: str, example_id: str) -> Example:
    prompt, solution = row.text("prompt"), row.text("canonical_solution")
    try:
        reference = to_reference(prompt=prompt, test=row.text("test"), entry_point=row.text("entry_point"))
    except UnfitTestError as error:
        raise _ExcludedError(str(error)) from error
    return _example(
        example_id, name, "code", _HUMANEVAL_PROMPT + prompt.strip("\n"), reference, prompt + solution
    )


def _math(row: _Row, name: str, example_id: str) -> Example:
    solution = row.text("solution", default="")
    answer = row.number_or_text("answer", default="") or last_boxed(solution)
    if not answer.strip():
        raise SuiteError(f"{row.where}: has neither 'answer' nor a solution with \\boxed{{..}}")
    return _example(
        example_id, name, "math", row.text("problem"), MathReference(answer=answer), answer, solution
    )


def _own(row: _Row, name: str, example_id: str) -> Example:
    reward = row.text("reward")
    if reward not in _REFERENCES:
        raise SuiteError(f"{row.where}: reward {reward!r} is none of {', '.join(_REFERENCES)}")
    reference = _reference(reward, row.mapping("reference"), row.where)
    return _example(example_id, name, reward, row.text("prompt"), reference, "")


def _reference(reward: str, fields: Mapping[str, object], where: str) -> Reference:
    """Make the reference that a reward takes, once every field is known and of its type."""
    kind = _REFERENCES[reward]
    types = get_type_hints(kind)
    values: dict[str, object] = {}
    for name, value in fields.items():
        read = _FIELDS.get(types.get(name))
        if read is None:
            raise SuiteError(f"{where}: reference has {name!r}, reward {reward!r} takes {', '.join(types)}")
        form, fits = read
        if not fits(value):
            raise SuiteError(f"{where}: reference needs {form} as {name!r}, got {value!r}")
        values[name] = tuple(cast("list[str]", value)) if isinstance(value, list) else value
    try:
        return kind(**values)
    except TypeError as error:
        raise SuiteError(f"{where}: reference does not fit reward {reward!r}: {error}") from error


def _is_text(value: object) -> bool:
    return isinstance(value, str) and _is_unicode(value)


def _is_unicode(text: str) -> bool:
    return not any("\ud800" <= letter <= "\udfff" for letter in text)


_FIELDS: Mapping[object, tuple[str, Callable[[object], bool]]] = MappingProxyType(
    {
        str: ("a text", _is_text),
        bool: ("true or false", lambda value: isinstance(value, bool)),
        float: ("a number", lambda value: isinstance(value, int | float) and not isinstance(value, bool)),
        tuple[str, ...]: (
            "a list of texts",
            lambda value: isinstance(value, list) and all(map(_is_text, cast("list[object]", value))),
        ),
    }
)
_READERS: Mapping[str, Callable[[_Row, str, str], Example]] = MappingProxyType(
    {"humaneval": _humaneval, "math": _math, "rows": _own}
)


def last_boxed(text: str) -> str:
    """Return what the last balanced `\\boxed{..}` of `text` holds, or nothing."""
    start = text.rfind("\\boxed{")
    if start < 0:
        return ""
    depth = 0
    for position in range(start + len("\\boxed"), len(text)):
        depth += {"{": 1, "}": -1}.get(text[position], 0)
        if depth == 0:
            return text[start + len("\\boxed{") : position]
    return ""


def _example(
    example_id: str,
    dataset: str,
    reward: str,
    prompt: str,
    reference: Reference,
    answer: str,
    reasoning: str = "",
) -> Example:
    return Example(
        example_id=example_id,
        dataset=dataset,
        domain=_DOMAINS[reward],
        split=Split.TEST,
        prompt=prompt,
        reward=reward,
        reference=reference,
        demonstration=Demonstration(reasoning=reasoning or "The reference solution.", answer=answer),
    )


def _rows(path: Path) -> Iterator[tuple[int, Mapping[str, object]]]:
    for number, row in read_rows(path, SuiteError, "suite"):
        if not isinstance(row, dict):
            raise SuiteError(f"{path}:{number}: not an object")
        yield number, cast("dict[str, object]", row)  # JSON keys are strings
