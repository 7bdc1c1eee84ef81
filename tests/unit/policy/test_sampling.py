"""Completions: stop marks kept, keys that matter, shapes that do not change."""

from pathlib import Path

import jax
import jax.numpy as jnp
import pytest
from flax import nnx

from policy import sampling
from policy.errors import PolicyError
from policy.gemma import Gemma3, load_pretrained
from policy.lora import LoraShape, apply_lora
from policy.sampling import GenerationShape, Generator
from policy.tokenizer import Tokenizer

PROMPT = "<start_of_turn>user\nWhat is 3 plus 4?<end_of_turn>\n<start_of_turn>model\n"
SHAPE = GenerationShape(rows=4, max_prompt_tokens=32, max_new_tokens=12)


@pytest.fixture(scope="module")
def generator(base: Gemma3, tokenizer: Tokenizer, mesh: jax.sharding.Mesh) -> Generator:
    return Generator(base, tokenizer, SHAPE, mesh)


def test_the_key_decides_what_is_sampled(generator: Generator) -> None:
    first, again, other = (
        generator.generate([PROMPT] * 4, temperature=1.0, key=jax.random.key(seed)) for seed in (0, 0, 1)
    )

    assert first == again
    assert first != other


def test_equal_prompts_of_one_batch_are_completed_differently(generator: Generator) -> None:
    completions = generator.generate([PROMPT] * 4, temperature=1.0, key=jax.random.key(0))

    assert len({completion.tokens for completion in completions}) == 4


def test_greedy_completions_do_not_depend_on_the_key(generator: Generator) -> None:
    one = generator.generate([PROMPT], temperature=0.0, key=jax.random.key(0))
    other = generator.generate([PROMPT], temperature=0.0, key=jax.random.key(1))

    assert one == other


def test_any_number_of_prompts_comes_back_in_order_without_a_new_program(generator: Generator) -> None:
    generator.generate([PROMPT], temperature=0.0, key=jax.random.key(0))
    with jax.log_compiles(False):
        before = generator.compilations
        prompts = [PROMPT.replace("3", str(n)) for n in range(7)]
        completions = generator.generate(prompts, temperature=0.0, key=jax.random.key(0))

    assert generator.compilations == before
    alone = [generator.generate([prompt], temperature=0.0, key=jax.random.key(0))[0] for prompt in prompts]
    assert completions == alone


def test_the_stop_mark_is_kept_in_tokens_and_left_out_of_text(
    model_dir: Path, tokenizer: Tokenizer, mesh: jax.sharding.Mesh
) -> None:
    model = load_pretrained(model_dir, dtype=jnp.float32, mesh=mesh)
    stop = tokenizer.stop_ids[1]
    # The output is tied to the embedding: a row far above all others is always chosen.
    embedding = model.embedder.input_embedding
    hidden = jnp.ones(embedding[...].shape[1])
    embedding[...] = embedding[...].at[stop].set(hidden * 50.0)
    model.final_norm.scale[...] = jnp.ones_like(model.final_norm.scale[...])
    always = Generator(model, tokenizer, SHAPE, mesh)

    completions = [
        completion
        for seed in range(6)
        for completion in always.generate([PROMPT] * 4, temperature=1.0, key=jax.random.key(seed))
    ]
    finished = [completion for completion in completions if not completion.truncated]
    assert finished
    for completion in finished:
        assert completion.tokens[-1] in tokenizer.stop_ids
        assert tokenizer.decode(list(completion.tokens[:-1])) == completion.text
    for completion in completions:
        assert completion.truncated == (
            len(completion.tokens) == SHAPE.max_new_tokens and completion.tokens[-1] not in tokenizer.stop_ids
        )


def test_the_generator_uses_the_models_present_weights(
    base: Gemma3, tokenizer: Tokenizer, mesh: jax.sharding.Mesh
) -> None:
    policy = apply_lora(base, LoraShape(rank=4, alpha=64.0), seed=0, mesh=mesh)
    generator = Generator(policy, tokenizer, SHAPE, mesh)
    before = generator.generate([PROMPT], temperature=0.0, key=jax.random.key(0))
    for index, (_, adapter) in enumerate(nnx.to_flat_state(nnx.state(policy, nnx.LoRAParam))):
        adapter[...] = jax.random.normal(jax.random.key(index), adapter[...].shape)

    assert generator.generate([PROMPT], temperature=0.0, key=jax.random.key(0)) != before


def test_a_bfloat16_base_with_float32_adapters_can_be_sampled(
    model_dir: Path, tokenizer: Tokenizer, mesh: jax.sharding.Mesh
) -> None:
    base = load_pretrained(model_dir, dtype=jnp.bfloat16, mesh=mesh)
    policy = apply_lora(base, LoraShape(rank=4, alpha=8.0), seed=0, mesh=mesh)

    completions = Generator(policy, tokenizer, SHAPE, mesh).generate(
        [PROMPT], temperature=1.0, key=jax.random.key(0)
    )
    assert len(completions) == 1


def test_a_prompt_that_does_not_fit_is_an_error_with_its_length(generator: Generator) -> None:
    with pytest.raises(PolicyError, match=r"prompt of \d+ tokens exceeds max_prompt_tokens=32"):
        generator.generate([PROMPT * 4], temperature=0.0, key=jax.random.key(0))


def test_a_prefill_holds_logits_of_the_last_position_alone(
    base: Gemma3, tokenizer: Tokenizer, mesh: jax.sharding.Mesh
) -> None:
    generator = Generator(base, tokenizer, SHAPE, mesh)
    shapes: list[tuple[int, ...]] = []
    decode = sampling._LastTokenEmbedder.decode
    with pytest.MonkeyPatch.context() as patch:

        def spied(self: object, x: jax.Array) -> jax.Array:
            shapes.append(decode(self, x).shape)  # type: ignore[arg-type]
            return decode(self, x)  # type: ignore[arg-type]

        patch.setattr(sampling._LastTokenEmbedder, "decode", spied)
        generator.generate([PROMPT] * 4, temperature=1.0, key=jax.random.key(0))

    assert set(shapes) == {(4, 1, tokenizer.vocabulary)}
    assert type(base.embedder).__name__ == "Embedder"
