"""Extraction finds the program in an answer, in linear time and without parsing it."""

import ast
import json
import time
from pathlib import Path

import pytest

from reward_server.rewards.code.extract import extract

CASES = Path(__file__).resolve().parents[2] / "cases"
ROWS = [json.loads(line) for line in (CASES / "code_extract.jsonl").read_text("utf-8").splitlines()]
LENGTH = 256 * 1024  # the longest completion that reaches a reward


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["name"])
def test_the_program_is_found(row: dict[str, str]) -> None:
    assert extract(row["answer"], row["entry_point"]) == row["source"], row["why"]


@pytest.mark.parametrize(
    "text",
    [
        *("`", "~", " ", "\t", "a", "=", "f", "\n", "(", "'", "\r", "\ufeff", "\x00"),
        *(
            "``` \n",
            "```" + " " * 50,
            "~~~`",
            "def ",
            "class ",
            "f : ",
            "async ",
            "x x",
            "Word ",
            "```python\n```\n",
        ),
        *(" ```\n", "f" + " " * 99 + "\n", "import import ", "a'", "f:::", "```~~~"),
        *(
            "<code>",
            "<code ",
            "<code></code>",
            "<code>def f\n</code>",
            ">>> ",
            ">>>\n",
            "... x\n",
            ">>> def f\n",
        ),
    ],
    ids=repr,
)
def test_repeated_text_takes_linear_time(text: str) -> None:
    answers = [text * (LENGTH // len(text)), "```" + text * (LENGTH // len(text)), text * 1000 + "`"]
    started = time.process_time()

    for answer in answers:
        extract(answer, "f")

    assert time.process_time() - started < 5.0, "quadratic work would take minutes"


def test_nothing_is_parsed(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        pytest.fail("the source of a candidate was parsed outside the sandbox")

    monkeypatch.setattr("builtins.compile", refuse)
    monkeypatch.setattr(ast, "parse", refuse)

    assert extract("```python\n" + "(" * 10_000 + "\n```", "f") == "(" * 10_000 + "\n"
