"""What a policy answered, and its one file form: JSON lines with `example_id` and `completion`.

Several lines of one example are several samples. Other keys are ignored, so that the
graded lines of an earlier evaluation can be graded again.
"""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from evals.errors import CompletionsError
from evals.json_lines import read_rows
from tasks.api import Example


@dataclass(frozen=True, kw_only=True, slots=True)
class Sampling:
    """How completions were drawn; a temperature of 0 is greedy. Lengths are in tokens."""

    samples: int
    temperature: float
    seed: int
    max_new_tokens: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Answered:
    """Completions of each example, in order, and where they came from.

    `prompt_hash` and `sampling` are None where the source does not say. `left_out` counts
    examples that were not asked, by why.
    """

    source: str
    examples: tuple[Example, ...]
    completions: tuple[tuple[str, ...], ...]
    left_out: Mapping[str, int]
    truncated: int | None = None
    prompt_hash: str | None = None
    sampling: Sampling | None = None


def write_completions(path: Path, answered: Answered) -> None:
    """Write one line a completion."""
    with path.open("w", encoding="utf-8") as lines:
        for example, texts in zip(answered.examples, answered.completions, strict=True):
            for text in texts:
                row = {"example_id": example.example_id, "completion": text}
                lines.write(json.dumps(row) + "\n")


def read_completions(path: Path, examples: Sequence[Example], *, excluded: Collection[str] = ()) -> Answered:
    """Read the completions of `examples`; examples without any are left out and counted.

    Lines of `excluded` ids, which are known and not asked, are passed over.

    Raises:
        CompletionsError: no such file, an empty one, or a line that is no completion of these examples.
    """
    known = {example.example_id for example in examples}
    found: dict[str, list[str]] = {}
    for number, row in read_rows(path, CompletionsError, "completions"):
        example_id, completion = _completion(row, f"{path}:{number}")
        if example_id in excluded:
            continue
        if example_id not in known:
            raise CompletionsError(
                f"{path}:{number}: example_id {example_id!r} is not in this split of this data: "
                "check --split, --data-dir and --suite"
            )
        found.setdefault(example_id, []).append(completion)
    if not found:
        raise CompletionsError(f"completions: {str(path)!r} is empty")
    asked = tuple(example for example in examples if example.example_id in found)
    return Answered(
        source=str(path),
        examples=asked,
        completions=tuple(tuple(found[example.example_id]) for example in asked),
        left_out={"no completion": absent} if (absent := len(examples) - len(asked)) else {},
    )


def _completion(row: object, where: str) -> tuple[str, str]:
    # JSON keys are strings.
    fields = cast("Mapping[str, object]", row if isinstance(row, dict) else {})
    example_id, completion = fields.get("example_id"), fields.get("completion")
    if not isinstance(example_id, str) or not isinstance(completion, str):
        raise CompletionsError(f"{where}: a line needs the texts 'example_id' and 'completion'")
    return example_id, completion
