"""The bytes of a kept score: read back exactly, or not at all."""

import json
from hashlib import blake2b
from pathlib import Path

import pytest

from reward_server.api import Score, Verdict
from reward_server.cache.records import MAX_RECORD_BYTES, decode, encode

KEY = b"k" * 16
CASES = [
    json.loads(line)
    for line in (Path(__file__).parents[2] / "cases" / "score_records_hostile.jsonl").read_text().splitlines()
]


def score(explanation: str = "right", components: dict[str, float] | None = None) -> Score:
    return Score(
        value=1.0,
        components={"format": 1.0} if components is None else components,
        verdict=Verdict.CORRECT,
        explanation=explanation,
    )


def signed(body: bytes) -> bytes:
    """A record as one with access to the file would forge it: the checksum is right."""
    return blake2b(body, key=KEY, digest_size=16).digest() + body


@pytest.mark.parametrize("text", ["", "x", "ä €", "\ud800 lone", "\x00\n\x1b[0m"])
def test_a_score_is_read_back_as_it_was(text: str) -> None:
    record = encode(KEY, score(text, {text or "format": 0.1}))

    assert record is not None
    assert decode(KEY, record) == score(text, {text or "format": 0.1})


def test_whole_numbers_of_a_careless_reward_are_read_back_equal() -> None:
    record = encode(KEY, score(components={"format": 1}))

    assert record is not None
    assert decode(KEY, record) == score()


def test_a_record_belongs_to_its_key() -> None:
    record = encode(KEY, score())

    assert record is not None
    assert decode(b"l" * 16, record) is None


def test_any_flipped_bit_makes_a_record_none() -> None:
    record = encode(KEY, score())
    assert record is not None

    for place in range(len(record) * 8):
        flipped = bytearray(record)
        flipped[place // 8] ^= 1 << place % 8
        assert decode(KEY, bytes(flipped)) is None
    for length in range(len(record)):
        assert decode(KEY, record[:length]) is None


def test_a_long_explanation_is_not_kept_and_a_long_record_is_not_read() -> None:
    assert encode(KEY, score("x" * MAX_RECORD_BYTES)) is None

    body = json.dumps([1.0, {}, "CORRECT", "x" * MAX_RECORD_BYTES]).encode()
    assert decode(KEY, signed(body)) is None


def test_too_many_components_and_too_deep_nesting_are_not_read() -> None:
    many = json.dumps([1.0, {f"{number}": 1.0 for number in range(300)}, "CORRECT", ""]).encode()

    assert decode(KEY, signed(many)) is None
    assert decode(KEY, signed(b"[" * 16_000)) is None


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["why"])
def test_even_a_forged_record_holds_a_possible_score_or_is_none(case: dict[str, object]) -> None:
    body = str(case["body"]).encode()

    assert (decode(KEY, signed(body)) is not None) == case["read"]
