"""A run directory with an untrained tiny policy in it, written as a training run writes its own."""

from pathlib import Path

import jax

from policy.checkpoint import PolicyRecord
from policy.gemma import TinyShape, init_tiny, load_pretrained, make_mesh, save_pretrained, tiny_config
from policy.lora import LoraShape, apply_lora, save_lora
from policy.tokenizer import train_tokenizer
from tasks.prompts import SHORT_SYSTEM, PromptTemplate

TEMPLATE = PromptTemplate(system=SHORT_SYSTEM)
NEW_TOKENS = 8


def write_run(run: Path) -> Path:
    """Write an untrained base and fresh adapters, so that both answer, and answer alike."""
    base = run / "base"
    texts = [TEMPLATE.render(f"question {n} of {n * 7}") for n in range(200)]
    tokenizer = train_tokenizer(texts, vocabulary=330, directory=base)
    limit = tokenizer.prompt_length(TEMPLATE.render("question b")) + 8
    shape = TinyShape(layers=1, width=16, hidden=32, head_dim=8, context=limit + NEW_TOKENS)
    mesh = make_mesh(fsdp=1, tp=1)
    save_pretrained(init_tiny(tiny_config(shape, vocabulary=tokenizer.vocabulary), seed=0, mesh=mesh), base)
    lora = LoraShape(rank=2, alpha=4.0)
    model = load_pretrained(base, dtype=jax.numpy.float32, mesh=mesh)
    save_lora(apply_lora(model, lora, seed=0, mesh=mesh), lora, run / "lora", base="../base")
    PolicyRecord(
        base="base",
        dtype="float32",
        system=TEMPLATE.system,
        prompt_hash=TEMPLATE.hash,
        max_prompt_tokens=limit,
        max_new_tokens=NEW_TOKENS,
    ).write(run)
    return run
