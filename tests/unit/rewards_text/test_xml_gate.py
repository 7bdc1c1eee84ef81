"""The XML gate: a table of completions, hostile floods, and what may never change its verdict."""

import json
import sys
import unicodedata
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reward_server.rewards.folding import INVISIBLE, strip_invisible
from reward_server.rewards.xml_gate import Open, Shut, open_gate

CASES = Path(__file__).parents[2] / "cases"
ROWS: list[dict[str, Any]] = [json.loads(line) for line in (CASES / "gate.jsonl").read_text().splitlines()]
TAGS = ("<reasoning>", "</reasoning>", "<answer>", "</answer>")
PIECES = st.lists(st.sampled_from([*TAGS, "a", " ", "\n", "<", "\u200b"]), max_size=12).map("".join)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["why"])
def test_gate_says_what_the_table_says(row: dict[str, Any]) -> None:
    gate = open_gate(row["completion"])

    if row["open"]:
        assert gate == Open(reasoning=row["reasoning"], answer=row["answer"])
    else:
        assert gate == Shut(rule=row["rule"])


@pytest.mark.parametrize("tag", TAGS)
def test_a_flood_of_tags_is_shut_without_quadratic_work(tag: str) -> None:
    flood = tag * (1_000_000 // len(tag))

    assert isinstance(open_gate(flood), Shut)


def test_a_megabyte_of_invisible_text_is_empty() -> None:
    assert open_gate("\u200b\u2060 " * 350_000) == Shut(rule="the completion is empty")


def test_half_tags_before_a_good_completion_are_text_before_it() -> None:
    gate = open_gate("<reasoning" * 10_000 + "<reasoning>a</reasoning><answer>b</answer>")

    assert gate == Shut(rule="there is text before <reasoning>, only white space may be there")


@given(PIECES | st.text(max_size=60))
def test_any_text_has_a_verdict(completion: str) -> None:
    gate = open_gate(completion)

    if isinstance(gate, Open):
        assert gate.reasoning
        assert gate.answer
        assert all(completion.count(tag) == 1 for tag in TAGS)
    else:
        assert gate.rule


@given(PIECES | st.text(max_size=60))
def test_many_angle_brackets_change_nothing_but_the_way(completion: str) -> None:
    """Text with many of them is searched tag by tag: here they are put where any text may be."""
    many = "<" * 100
    gate = open_gate(completion)
    longer = open_gate(completion.replace("<reasoning>", f"<reasoning>{many} ", 1))

    if isinstance(gate, Open):
        assert isinstance(longer, Open)
        assert (longer.reasoning[:101], longer.answer) == (f"{many} ", gate.answer)
        assert longer.reasoning.endswith(gate.reasoning)
    elif gate.rule != "the reasoning is empty":
        assert longer == gate


@given(PIECES, st.text(alphabet=" \n\t\r\u3000", max_size=4), st.text(alphabet=" \n\t", max_size=4))
def test_white_space_around_a_completion_changes_nothing(completion: str, left: str, right: str) -> None:
    assert open_gate(left + completion + right) == open_gate(completion)


def test_invisible_covers_all_spaces_controls_and_unseen_format_characters() -> None:
    seen_format_characters = set(
        map(chr, [*range(0x600, 0x606), 0x6DD, 0x70F, 0x890, 0x891, 0x8E2, 0x110BD, 0x110CD])
    )
    unseen = {
        chr(point)
        for point in range(sys.maxunicode + 1)
        if unicodedata.category(chr(point)) in {"Cc", "Cf", "Zs", "Zl", "Zp"}
    }

    assert unseen - seen_format_characters <= set(INVISIBLE)
    assert not seen_format_characters & set(INVISIBLE)


@given(
    st.text(
        alphabet=st.sampled_from([*"a \u00e9\u4e2d\U0001f600", "\u200b", "\u3164", "\U000e01ef"]), max_size=12
    )
)
def test_exactly_the_invisible_is_cut_from_both_ends(text: str) -> None:
    assert strip_invisible(text) == text.strip(INVISIBLE)
