"""Tokenizers: a small SentencePiece model trained on the spot, or Gemma's own.

Both keep Gemma's ids: pad 0, end of sequence 1, begin of sequence 2, unknown 3. In the
small one the tags of the answer format and the chat marks are single pieces, digits are
split, and bytes stand in for anything else, so that every text can be encoded.
"""

import io
import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sentencepiece

from policy.errors import PolicyError

END_OF_TURN = "<end_of_turn>"
# User-defined, not control, symbols: control symbols vanish when decoded.
_SYMBOLS = ("<start_of_turn>", END_OF_TURN, "<reasoning>", "</reasoning>", "<answer>", "</answer>", "\n")
# What lets transformers read `tokenizer.model` as Gemma's, with no token added.
_HUB_CONFIG = {
    "tokenizer_class": "GemmaTokenizer",
    "pad_token": "<pad>",
    "eos_token": "<eos>",
    "bos_token": "<bos>",
    "unk_token": "<unk>",
    "mask_token": None,
    "add_bos_token": True,
    "add_eos_token": False,
    "clean_up_tokenization_spaces": False,
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Tokenizer:
    """A tokenizer with the ids that end a completion.

    `backend` is what Tunix takes: a SentencePiece processor or a Hugging Face tokenizer.
    """

    backend: Any
    stop_ids: tuple[int, ...]
    vocabulary: int

    def encode(self, text: str) -> list[int]:
        """Encodes without begin or end marks."""
        if isinstance(self.backend, sentencepiece.SentencePieceProcessor):
            return self.backend.encode(text)
        return self.backend.encode(text, add_special_tokens=False)

    def decode(self, ids: list[int]) -> str:
        return self.backend.decode(ids)

    def prompt_length(self, prompt: str) -> int:
        """Counts the tokens of a rendered prompt, with the begin mark that the sampler adds."""
        return len(self.encode(prompt)) + 1


PAD_ID, EOS_ID, BOS_ID, UNK_ID = 0, 1, 2, 3


def train_tokenizer(texts: Iterable[str], *, vocabulary: int, directory: Path) -> Tokenizer:
    """Trains a byte-fallback BPE model on `texts` and writes it in the hub's form.

    Raises:
        PolicyError: `texts` are too few for a vocabulary of this size.
    """
    model = io.BytesIO()
    try:
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(texts),
            model_writer=model,
            model_type="bpe",
            vocab_size=vocabulary,
            pad_id=PAD_ID,
            eos_id=EOS_ID,
            bos_id=BOS_ID,
            unk_id=UNK_ID,
            eos_piece="<eos>",
            bos_piece="<bos>",
            user_defined_symbols=list(_SYMBOLS),
            byte_fallback=True,
            split_digits=True,
            add_dummy_prefix=False,
            remove_extra_whitespaces=False,
            normalization_rule_name="identity",
            character_coverage=1.0,
            num_threads=1,
            minloglevel=2,
        )
    except RuntimeError as error:
        raise PolicyError(f"tokenizer: cannot train a vocabulary of {vocabulary} pieces: {error}") from error
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "tokenizer.model").write_bytes(model.getvalue())
    (directory / "tokenizer_config.json").write_text(json.dumps(_HUB_CONFIG, indent=2) + "\n")
    return load_tokenizer(directory)


def load_tokenizer(directory: Path) -> Tokenizer:
    """Loads `tokenizer.model`, else `tokenizer.json`, from the directory of a checkpoint.

    Raises:
        PolicyError: neither file is there, or there is no end-of-turn mark.
    """
    if (directory / "tokenizer.model").is_file():
        backend: Any = sentencepiece.SentencePieceProcessor()
        # From bytes, not through Tunix's class, which needs sentencepiece < 0.2.2.
        backend.LoadFromSerializedProto((directory / "tokenizer.model").read_bytes())
        end_of_turn, eos, size = backend.piece_to_id(END_OF_TURN), backend.eos_id(), backend.get_piece_size()
        known = end_of_turn != backend.unk_id()
    elif (directory / "tokenizer.json").is_file():
        import transformers  # noqa: PLC0415 - seconds to import, and only for this form

        backend: Any = transformers.AutoTokenizer.from_pretrained(directory)
        end_of_turn, eos, size = (
            backend.convert_tokens_to_ids(END_OF_TURN),
            backend.eos_token_id,
            len(backend),
        )
        known = end_of_turn is not None and end_of_turn != backend.unk_token_id
    else:
        raise PolicyError(f"tokenizer: neither tokenizer.model nor tokenizer.json in {str(directory)!r}")
    if not known or eos is None or end_of_turn is None:
        raise PolicyError(f"tokenizer: {str(directory)!r} has no {END_OF_TURN!r}: not a Gemma tokenizer")
    return Tokenizer(backend=backend, stop_ids=(int(eos), int(end_of_turn)), vocabulary=size)
