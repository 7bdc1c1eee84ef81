"""Write the embedded samples: `python -m tasks.samples.generate [DIRECTORY]`.

The same seed gives the same bytes; a test compares them with the files in this folder.
Prints rows, and how many distinct words a tokenizer has to know.
"""

import json
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from random import Random

from tasks.samples import families
from tasks.samples.families import SampleRow

SEED = 20


@dataclass(frozen=True, kw_only=True, slots=True)
class Family:
    """A stream of rows, how many to take, and what makes a row of it a different question.

    A question is told from another by its `question` columns, and by the words of its
    `options` columns in any order. `identifier` numbers the rows, where the hub's schema
    has such a column.
    """

    stream: Callable[[Random], Iterator[SampleRow]]
    train: int
    test: int
    question: tuple[str, ...]
    options: tuple[str, ...] = ()
    identifier: str | None = None


# Uneven on purpose, so that a mix by n^0.5 differs visibly from the natural one.
FAMILIES: Mapping[str, Family] = {
    "gsm8k": Family(stream=families.gsm8k, train=300, test=32, question=("question",)),
    "mbpp": Family(stream=families.mbpp, train=120, test=24, question=("code",), identifier="task_id"),
    "sciq": Family(
        stream=families.sciq,
        train=240,
        test=24,
        question=("question",),
        options=("correct_answer", "distractor1", "distractor2", "distractor3"),
    ),
    "arc_easy": Family(
        stream=families.arc_easy,
        train=180,
        test=24,
        question=("question",),
        options=("choices",),
        identifier="id",
    ),
    "strategyqa": Family(
        stream=families.strategyqa, train=160, test=24, question=("question",), identifier="qid"
    ),
    "writingprompts": Family(stream=families.writingprompts, train=150, test=24, question=("prompt",)),
    "dolly": Family(stream=families.dolly, train=72, test=24, question=("instruction",)),
    "xsum": Family(stream=families.xsum, train=150, test=24, question=("document",), identifier="id"),
}


def rows(name: str) -> Mapping[str, list[SampleRow]]:
    """Make the splits of one data set: `train` first from the stream, `test` from what follows."""
    family = FAMILIES[name]
    seen: set[tuple[str, ...]] = set()
    kept: list[SampleRow] = []
    wanted = family.train + family.test
    stream = family.stream(Random(f"{SEED}/{name}"))  # noqa: S311 - data, not secrets
    for row in islice(stream, 100 * wanted):
        words = sorted(re.findall(r"\w+", json.dumps([row[column] for column in family.options])))
        question = (*(str(row[column]) for column in family.question), *words)
        if question in seen:
            continue
        seen.add(question)
        kept.append(_numbered(family, row, len(kept) + 1))
        if len(kept) == wanted:
            break
    assert len(kept) == wanted, f"{name}: only {len(kept)} different questions, {wanted} wanted"
    return {"train": kept[: family.train], "test": kept[family.train :]}


def _numbered(family: Family, row: SampleRow, number: int) -> SampleRow:
    if family.identifier is None:
        return row
    return {family.identifier: number if family.identifier == "task_id" else f"s{number:04}", **row}


def files() -> Mapping[str, str]:
    """Give the whole folder as relative path -> text."""
    return {
        f"{name}/{split}.jsonl": "".join(json.dumps(row) + "\n" for row in taken)
        for name in FAMILIES
        for split, taken in rows(name).items()
    }


def vocabulary(texts: Mapping[str, str]) -> frozenset[str]:
    """Give the distinct words of the files; digits count singly, as the tokenizer splits them."""
    return frozenset(word for text in texts.values() for word in re.findall(r"[A-Za-z]+|\d|[^\w\s]", text))


def main(directory: Path) -> None:
    written = files()
    for path, text in written.items():
        (directory / path).parent.mkdir(parents=True, exist_ok=True)
        (directory / path).write_text(text, encoding="utf-8")
        sys.stdout.write(f"{path}: {text.count(chr(10))} rows\n")
    sys.stdout.write(f"{len(vocabulary(written))} distinct words and signs\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent)
