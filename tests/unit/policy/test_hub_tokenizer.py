"""One text, the same ids: SentencePiece, the hub's `tokenizer.json`, and Gemma's chat template."""

import json
from pathlib import Path
from typing import Any

import jax
import pytest
import transformers
from hypothesis import given, settings
from hypothesis import strategies as st

from policy.errors import PolicyError
from policy.gemma import Gemma3
from policy.sampling import GenerationShape, Generator
from policy.tokenizer import BOS_ID, Tokenizer, load_tokenizer
from tasks.prompts import PromptTemplate

# Gemma 3's chat template as published, in its parts that concern text: BOS, the system text before the
# first user's turn, trimmed contents, "model" for the assistant, an open turn at the end.
CHAT_TEMPLATE = (
    "{{ bos_token }}"
    "{%- set system = messages[0]['content'] + '\n\n' if messages[0]['role'] == 'system' else '' -%}"
    "{%- for message in (messages[1:] if system else messages) -%}"
    "{{ '<start_of_turn>' + ('model' if message['role'] == 'assistant' else message['role']) + '\n' }}"
    "{{- (system if loop.first else '') + message['content'] | trim + '<end_of_turn>\n' }}"
    "{%- endfor -%}"
    "{%- if add_generation_prompt -%}{{ '<start_of_turn>model\n' }}{%- endif -%}"
)
QUESTIONS = [
    "What is 3 plus 4?",
    "  indented, and with a last line\n",
    "two\n\nparagraphs",
    "closes <end_of_turn> its turn, <eos> and <bos>",
    "Ünïcode 漢字 😀",
]


@pytest.fixture(scope="module")
def hub_dir(tokenizer_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tokenizer of the tests, as transformers reads it from `tokenizer.model` and writes it."""
    target = tmp_path_factory.mktemp("hub")
    read = transformers.AutoTokenizer.from_pretrained(tokenizer_dir)
    read.chat_template = CHAT_TEMPLATE
    read.save_pretrained(target)
    return target


@pytest.fixture(scope="module")
def hub(hub_dir: Path) -> Tokenizer:
    return load_tokenizer(hub_dir)


def test_the_hubs_form_is_read_with_gemmas_ids(hub_dir: Path, hub: Tokenizer, tokenizer: Tokenizer) -> None:
    assert (hub_dir / "tokenizer.json").is_file()
    assert not (hub_dir / "tokenizer.model").exists()
    assert (hub.stop_ids, hub.vocabulary) == (tokenizer.stop_ids, tokenizer.vocabulary)
    assert (hub.backend.pad_token_id, hub.backend.bos_token_id) == (0, BOS_ID)


@settings(max_examples=50)
@given(st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\x00"), max_size=40))
def test_any_question_has_the_same_ids_in_both_forms(hub: Tokenizer, tokenizer: Tokenizer, text: str) -> None:
    prompt = PromptTemplate().render(text)

    assert hub.encode(prompt) == tokenizer.encode(prompt)
    assert hub.decode(hub.encode(prompt)) == tokenizer.decode(tokenizer.encode(prompt)) == prompt
    assert hub.prompt_length(prompt) == tokenizer.prompt_length(prompt) == len(hub.encode(prompt)) + 1


@pytest.mark.parametrize("question", QUESTIONS)
def test_our_prompt_is_the_published_chat_template_but_for_bos(hub: Tokenizer, question: str) -> None:
    template = PromptTemplate()
    safe = question.replace("<end", "< end").replace("<eos", "< eos").replace("<bos", "< bos")
    messages = [{"role": "system", "content": template.system}, {"role": "user", "content": safe}]
    applied: Any = hub.backend.apply_chat_template(messages, add_generation_prompt=True, tokenize=False)
    ids: Any = hub.backend.apply_chat_template(messages, add_generation_prompt=True, return_dict=False)

    assert applied == "<bos>" + template.render(question)
    assert ids == [BOS_ID, *hub.encode(template.render(question))]


def test_a_prompt_begins_with_one_bos_in_both_forms_and_completions_are_equal(
    base: Gemma3, hub: Tokenizer, tokenizer: Tokenizer, mesh: jax.sharding.Mesh
) -> None:
    shape = GenerationShape(rows=2, max_prompt_tokens=32, max_new_tokens=8)
    prompts = ["<start_of_turn>user\nWhat is 3 plus 4?<end_of_turn>\n<start_of_turn>model\n"] * 2
    batches = [
        Generator(base, each, shape, mesh).generate_rows(prompts, temperature=1.0, key=jax.random.key(0))
        for each in (tokenizer, hub)
    ]

    for batch in batches:
        assert [list(row).count(BOS_ID) for row in batch.prompt_tokens] == [1, 1]
        assert list(batch.prompt_tokens[0])[-len(tokenizer.encode(prompts[0])) - 1] == BOS_ID
    # The tokens; bytes that are no UTF-8 are shown by each library in its own way.
    first, second = ([completion.tokens for completion in batch.completions] for batch in batches)
    assert first == second


def test_a_tokenizer_that_is_not_gemmas_is_refused(hub_dir: Path, tmp_path: Path) -> None:
    values = (hub_dir / "tokenizer.json").read_text().replace("<end_of_turn>", "<other>")
    (tmp_path / "tokenizer.json").write_text(values)
    (tmp_path / "tokenizer_config.json").write_text(
        json.dumps({"tokenizer_class": "PreTrainedTokenizerFast", "unk_token": "<unk>", "eos_token": "<eos>"})
    )

    with pytest.raises(PolicyError, match="has no '<end_of_turn>': not a Gemma tokenizer"):
        load_tokenizer(tmp_path)
