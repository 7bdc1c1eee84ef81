"""Completions that were paid for once: an append-only file of JSON lines, one file a model.

A key covers what a completion depends on: model, prompt, sampling and which sample it is.
A line that was cut by a crash is not a completion, and is skipped.
"""

import json
from hashlib import sha256
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from evals.asking.completions import Sampling
from evals.asking.models import Answer, Model, Question

Key = str


def key_of(model: Model, question: Question, sampling: Sampling) -> Key:
    """Digest what an answer depends on."""
    greedy = sampling.temperature == 0
    parts = (
        model.identity,
        question.prompt,
        repr(float(sampling.temperature)),
        str(sampling.max_new_tokens),
        "" if greedy else f"{sampling.seed}/{question.sample_index}",
    )
    return sha256(
        "\0".join(f"{len(part)}:{part}" for part in parts).encode("utf-8", "surrogatepass")
    ).hexdigest()[:32]


class Generations:
    """The answers of one model on disk; a context manager that closes its file."""

    def __init__(self, directory: Path, model: Model) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.path = directory / f"{sha256(model.identity.encode()).hexdigest()[:16]}.jsonl"
        self._answers = dict(_read(self.path))
        self._file = self.path.open("a", encoding="utf-8")
        if self._file.tell() and not self.path.read_bytes().endswith(b"\n"):
            self._file.write("\n")  # a crash cut the last line: what follows starts a new one

    def __len__(self) -> int:
        return len(self._answers)

    def get(self, key: Key) -> Answer | None:
        """Return the answer, or None when it was never had."""
        return self._answers.get(key)

    def put(self, key: Key, answer: Answer) -> None:
        """Keep an answer; it is on disk when this returns."""
        self._answers[key] = answer
        row = {"key": key, "text": answer.text, "truncated": answer.truncated}
        self._file.write(json.dumps(row) + "\n")
        self._file.flush()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()


def _read(path: Path) -> list[tuple[Key, Answer]]:
    if not path.is_file():
        return []
    found: list[tuple[Key, Answer]] = []
    with path.open(encoding="utf-8", errors="replace") as lines:
        for line in lines:
            try:
                row: Any = json.loads(line)
                found.append((row["key"], Answer(text=row["text"], truncated=row["truncated"])))
            except (json.JSONDecodeError, KeyError, TypeError):
                continue
    return found
