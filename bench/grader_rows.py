"""Labelled pairs of gold and answer: the repository's tables, and GSM8K golds in varied forms."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

CASES = Path(__file__).resolve().parents[1] / "tests" / "cases"
TABLES = (
    "math_cases.jsonl",
    "math_fresh.jsonl",
    "math_held_out.jsonl",
    "math_second_look.jsonl",
    "math_third_look.jsonl",
    "math_fourth_look.jsonl",
    "math_fifth_look.jsonl",
    "math_sixth_look.jsonl",
    "math_seventh_look.jsonl",
    "math_eighth_look.jsonl",
)

# Forms in which models write a GSM8K answer; {n} is the number, {c} the same with thousands separators.
RIGHT_FORMS = (
    "{n}", "{c}", "${c}", "{n}.00", "{n}.", "\\boxed{{{n}}}", "$\\boxed{{{n}}}$", "${n}$", "**{n}**",
    "#### {n}", "The answer is {n}.", "The final answer is {n}", "{n} dollars", "\\text{{{n}}}", "= {n}",
    " {n}\n",
)  # fmt: skip
WRONG_FORMS = (
    "{more}", "{tenfold}", "-{n}", "{n}.5", "{n} or {more}", "{more}, {n}", "\\boxed{{{more}}}", "not {n}",
    "{n}/2", "#### {more}",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """`right` is the label: is the answer worth full marks?"""

    category: str
    gold: str
    answer: str
    right: bool


def table_rows() -> list[Row]:
    """Return the rows of the repository's math tables, golds without their worked solutions."""
    return [
        Row(
            category=row["category"],
            gold=row["gold"].rpartition("####")[2].strip(),
            answer=row["answer"],
            right=row["verdict"] == "CORRECT",
        )
        for name in TABLES
        for row in _read(CASES / name)
    ]


def gsm8k_rows(data_dir: Path, golds: int) -> list[Row]:
    """Return the first `golds` positive GSM8K test answers in every form, right and wrong."""
    rows: list[Row] = []
    taken = 0
    for each in _read(data_dir / "gsm8k" / "test.jsonl"):
        gold = each["answer"].rpartition("####")[2].strip()
        if taken == golds or not gold.replace(",", "").isdecimal():
            continue
        taken += 1
        number = int(gold.replace(",", ""))
        values = {"n": number, "c": f"{number:,}", "more": number + 1, "tenfold": number * 10}
        for forms, right in ((RIGHT_FORMS, True), (WRONG_FORMS, False)):
            category = f"GSM8K golds, {'right' if right else 'wrong'}"
            answers = (form.format(**values) for form in forms)
            rows += (Row(category=category, gold=gold, answer=answer, right=right) for answer in answers)
    return rows


def hostile_rows() -> list[Row]:
    """Return the answers that are made to hang, to fill memory or to run code."""
    return [
        Row(category=row["category"], gold=row["gold"], answer=row["answer"], right=False)
        for row in _read(CASES / "math_hostile.jsonl")
    ]


def _read(file: Path) -> Iterator[dict[str, str]]:
    with file.open(encoding="utf-8") as lines:
        for line in lines:
            yield json.loads(line)
