"""Model FLOPs utilisation of a step, on numbers; and silence where a device's peak is not known."""

from dataclasses import replace

import pytest

from policy.flops import model_flops_per_token
from policy.gemma import ModelConfig
from policy.lora import LoraShape
from tests.unit.trainer_views.synthetic_runs import step_records
from trainer.config import parse
from trainer.reporting.utilisation import utilisation

CONFIG = parse(["--config", "gemma3_1b"])
MODEL = ModelConfig.gemma3_1b_it()
# 8 completions of 400 tokens on prompts of 512 positions, half of them padding, in two seconds.
STEP = replace(step_records(1)[0], completions=8, completion_tokens=3200, prompt_padding=0.5, step_s=2.0)


def flops_of_a_token(*, reference: bool, updates: int) -> float:
    limits = CONFIG.model
    flops = model_flops_per_token(
        MODEL,
        context=limits.max_prompt_tokens + limits.max_new_tokens,
        lora=LoraShape(rank=limits.lora_rank, alpha=limits.lora_alpha),
    )
    sampling = flops.forward + flops.adapters
    return sampling + (flops.forward if reference else 0) + updates * flops.update


@pytest.mark.parametrize(("beta", "iterations"), [(0.04, 1), (0.0, 1), (0.04, 3)])
def test_it_is_what_the_tokens_needed_over_what_the_devices_could_do(beta: float, iterations: int) -> None:
    config = replace(CONFIG, grpo=replace(CONFIG.grpo, beta=beta, iterations=iterations))
    of = utilisation(MODEL, config, ["TPU v5e"] * 4)

    tokens = 3200 + 8 * CONFIG.model.max_prompt_tokens * 0.5
    needed = tokens * flops_of_a_token(reference=beta > 0, updates=iterations)
    assert of is not None
    assert of(STEP) == pytest.approx(needed / (2.0 * 4 * 197e12))


@pytest.mark.parametrize("kinds", [["cpu"], ["TPU v5e", "cpu"]])
def test_there_is_none_where_a_devices_peak_is_unknown(kinds: list[str]) -> None:
    assert utilisation(MODEL, CONFIG, kinds) is None


def test_more_padding_is_less_utilisation() -> None:
    of = utilisation(MODEL, CONFIG, ["TPU v5e"])

    assert of is not None
    assert of(replace(STEP, prompt_padding=0.9)) < of(STEP)
