"""Labelled answers by the thousand: golds, each in many forms that models write, and near misses.

`tests/cases/math_golds.jsonl` holds, for each gold, what is the same and what is nearly the
same; here it is wrapped in sentences, boxes and headings. Golds and wrappings are each split
in two by a hash, so that nothing of the final half is seen while the grader is mended.
"""

import json
import re
import zlib
from collections.abc import Iterator
from enum import Enum
from pathlib import Path

from bench.grader_rows import CASES, Row

# {a} is an answer as it stands; {m} the same as LaTeX in text: within dollars.
WRAPPINGS = (
    "{a}", "{m}", "\\({a}\\)", "\\[{a}\\]", "{m}.", "\\boxed{{{a}}}", "$\\boxed{{{a}}}$",
    "\\[\\boxed{{{a}}}\\]", "$$\\boxed{{{a}}}$$", "**{m}**", "`{a}`", "Answer: {m}", "**Answer:** {m}",
    "**Answer: {m}**", "Answer: $\\boxed{{{a}}}$", "The answer is {m}.", "The final answer is {m}.",
    "The final answer is: {m}", "The final answer is $\\boxed{{{a}}}$.", "Final Answer: {m}",
    "**Final Answer:** {m}", "**Final Answer**\n{m}", "**Final Answer**\n\n$\\boxed{{{a}}}$",
    "So the answer is {m}.", "So, the answer is {m}.", "Therefore, the answer is {m}.",
    "Therefore, the final answer is {m}.", "Thus, the answer is {m}", "Hence the answer is {m}.",
    "The correct answer is {m}.", "The answer: {m}", "Our answer is {m}.", "The result is {m}.",
    "Thus, the result is {m}.", "The value is {m}.", "The solution is {m}.", "Result: {m}", "= {a}",
    "#### {a}", "Solution: {m}", "{m} is the answer.", "Therefore, {m}.", "We get {m}.", "This gives {m}.",
    "It equals {m}.", "We have {m}.", "The final answer is {m}. I hope it is correct.",
    "The exact answer is {m}.", "The simplified answer is {m}.", "$\\text{{Answer: }} {a}$",
    "The answer is **{m}**.", "<b>{m}</b>", "The answer is {m}. ✅", "Answer = {m}",
)  # fmt: skip
# {w} is a near miss, {v} the same as LaTeX in text.
HEDGES = (
    "{m} or {v}", "{v} or {m}", "not {m}", "The answer is not {m}.", "{v}, {m}", "either {m} or {v}",
    "about {m}", "approximately {m}", "maybe {m}", "{m}?", "I think {m}, but it could be {v}",
    "$\\boxed{{{a}}}$ or $\\boxed{{{w}}}$", "\\boxed{{{w}}} \\boxed{{{a}}}", "The answer is {v}, not {m}.",
    "{m} is wrong", "{m} (or {v})", "{m} / {v}", "{m}; {v}", "The answer is {m} or {v}.",
    "Answer: {m} or {v}", "The answer is close to {m}", "If not {v}, then {m}",
    "The answer is {m}, or possibly {v}.", "less than {m}", "The answer is at least {m}.",
    "The wrong answer is {m}.", "The total is not {m}.", "One of {m} and {v}", "{m} ... {v}", "no, {m}",
)  # fmt: skip
# For word problems: {n} is a whole number, {c} the same with commas, {calc} its last calculation.
NUMBER_FORMS = (
    "So the total is {n}.", "The total is {c}.", "The total number of items is {n}.", "Total: {n}",
    "Total = {n}", "The total cost is ${c}.", "Total cost: ${c}", "**Total cost:** ${n}", "{n} in total",
    "a total of {n} items", "{n} items", "**{n} items**", "{n} dollars", "${n}.00", "{calc}", "${calc}$",
    "{n} per hour", "${n} per hour", "The number of students is {n}.", "Number of students: {n}",
    "The final price is ${n}.", "{n} (items)", "Amount: {n} dollars", "{n}.0", "USD {c}", "{n} hours",
    "Their combined age is {n}.", "**Total:** {n} items", "The total amount of money is **${c}**.",
    "The total distance is {n} miles.",
)  # fmt: skip
WRONG_NUMBER_FORMS = (
    "The total is {more}.", "The total cost is ${more}.", "Total: {more} items", "{tenfold}", "{n}.5",
    "-{n}", "The total is {n} or {more}.", "The total is not {n}.", "{n} to {more} items",
    "Total: {more}, {n}", "The total is about {n}.", "more than {n}", "{calc}1",
    "The total cost is less than ${n}.", "{n}, {more}", "Less than {n} items",
    "The total is {n} more than {more}.", "{n} + 1 = {n}", "The total is over {n}.", "Twice {n}",
    "The total was {more}, now it is {n} or so",
)  # fmt: skip
_SAMPLED_GOLDS = 60
_CALCULATION = re.compile(r"<<([^<>=]+)=([^<>=]+)>>")


class Half(Enum):
    """`FINAL` is for one look, when the work on the grader is done."""

    DEVELOPMENT = 0
    FINAL = 1

    def has(self, text: str) -> bool:
        """Tell whether a gold or a wrapping belongs to this half."""
        return zlib.crc32(f"half {text}".encode()) % 2 == self.value


def form_rows(half: Half) -> Iterator[Row]:
    """Yield each gold of the half, in all its forms and near misses, in each wrapping of the half."""
    wrappings = [each for each in WRAPPINGS if half.has(each)]
    hedges = [each for each in HEDGES if half.has(each)]
    for line in (CASES / "math_golds.jsonl").read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        gold, family = row["gold"], row["family"]
        if not half.has(gold):
            continue
        for place, answer in enumerate([gold, *row["right"]]):
            for wrapping in _some(wrappings, place, family):
                yield Row(
                    category=f"forms: {family}", gold=gold, answer=_filled(wrapping, answer), right=True
                )
        for place, answer in enumerate(row["wrong"]):
            for wrapping in _some(wrappings, place, family):
                yield Row(
                    category=f"near: {family}", gold=gold, answer=_filled(wrapping, answer), right=False
                )
            for hedge in _some(hedges, place, family):
                yield Row(
                    category=f"hedges: {family}", gold=gold, answer=_filled(hedge, gold, answer), right=False
                )


def number_rows(half: Half, data_dir: Path, golds: int) -> Iterator[Row]:
    """Yield real whole GSM8K answers of the half, in forms that word problems are answered in."""
    taken = 0
    for line in (data_dir / "gsm8k" / "test.jsonl").read_text(encoding="utf-8").splitlines():
        text = json.loads(line)["answer"]
        gold = text.rpartition("####")[2].strip()
        found = _CALCULATION.findall(text)
        if not half.has(text) or not gold.replace(",", "").isdecimal() or not found or taken == golds:
            continue
        number = int(gold.replace(",", ""))
        calculation, result = found[-1]
        if result != str(number) or number < 2:
            continue
        taken += 1
        values = {
            "n": number, "c": f"{number:,}", "more": number + 1, "tenfold": number * 10,
            "calc": f"{calculation} = {number}",
        }  # fmt: skip
        for forms, right in ((NUMBER_FORMS, True), (WRONG_NUMBER_FORMS, False)):
            for form in filter(half.has, forms):
                category = f"word problems, {'right' if right else 'wrong'}"
                yield Row(category=category, gold=text, answer=form.format(**values), right=right)


def sampled_rows(data_dir: Path, every: int) -> list[Row]:
    """Return one in `every` generated rows of both halves, in two categories."""
    rows = [row for half in Half for row in (*form_rows(half), *number_rows(half, data_dir, _SAMPLED_GOLDS))]
    kinds = {True: "generated forms, right", False: "generated near misses and hedges"}
    return [
        Row(
            category=kinds[row.right],
            gold=row.gold.rpartition("####")[2].strip(),
            answer=row.answer,
            right=row.right,
        )
        for row in rows[::every]
    ]


def _some(wrappings: list[str], place: int, family: str) -> list[str]:
    """Return every third wrapping, another third for each place and family."""
    return wrappings[(place + len(family)) % 3 :: 3]


def _filled(wrapping: str, answer: str, other: str = "") -> str:
    return wrapping.format(a=answer, m=_in_text(answer), w=other, v=_in_text(other))


def _in_text(answer: str) -> str:
    """Return an answer as it stands in a sentence: notation within dollars, words and money bare."""
    is_notation = any(mark in answer for mark in ("\\", "^", "_", "{")) and "$" not in answer
    return f"${answer}$" if is_notation else answer
