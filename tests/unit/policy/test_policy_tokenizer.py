"""The tokenizer: Gemma's ids, tags as single pieces, and no text that cannot be encoded."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policy.errors import PolicyError
from policy.tokenizer import Tokenizer, load_tokenizer, train_tokenizer


def test_ids_are_gemmas(tokenizer: Tokenizer) -> None:
    backend = tokenizer.backend

    assert (backend.pad_id(), backend.eos_id(), backend.bos_id(), backend.unk_id()) == (0, 1, 2, 3)
    assert tokenizer.stop_ids == (1, backend.piece_to_id("<end_of_turn>"))
    assert tokenizer.vocabulary == 320


@pytest.mark.parametrize(
    "tag", ["<reasoning>", "</reasoning>", "<answer>", "</answer>", "<end_of_turn>", "\n"]
)
def test_a_tag_is_one_piece_and_survives_decoding(tokenizer: Tokenizer, tag: str) -> None:
    ids = tokenizer.encode(f"a{tag}b")

    assert len(ids) == len(tokenizer.encode("a")) + 1 + len(tokenizer.encode("b"))
    assert tokenizer.decode(ids) == f"a{tag}b"


def test_digits_are_split(tokenizer: Tokenizer) -> None:
    assert len(tokenizer.encode("1234")) == 4


@given(st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\x00"), max_size=60))
def test_every_text_comes_back_unchanged(tokenizer: Tokenizer, text: str) -> None:
    assert tokenizer.decode(tokenizer.encode(text)) == text


def test_a_vocabulary_that_the_text_cannot_fill_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PolicyError, match="vocabulary of 5000"):
        train_tokenizer(["too little text"], vocabulary=5000, directory=tmp_path)


def test_a_directory_without_a_tokenizer_is_named(tmp_path: Path) -> None:
    with pytest.raises(PolicyError, match=r"neither tokenizer.model nor tokenizer.json"):
        load_tokenizer(tmp_path)
