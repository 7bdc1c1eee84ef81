"""Model FLOPs utilisation of a step: what its tokens needed, over what the devices could have done."""

from collections.abc import Callable, Sequence

from policy.flops import model_flops_per_token, peak_flops
from policy.gemma import ModelConfig
from policy.lora import LoraShape
from trainer.config import TrainConfig
from trainer.run_files.records import StepRecord


def utilisation(
    model: ModelConfig, config: TrainConfig, device_kinds: Sequence[str]
) -> Callable[[StepRecord], float] | None:
    """Returns a step's share of the devices' peak, or None where no peak is known (`policy.flops`).

    `device_kinds` names the kind of each device that the run computes on.

    Padding and what a refill passed over are work that the mathematics does not need, and count
    nothing; sampling and the reference count once, updates `grpo.iterations` times.
    """
    peaks = [peak_flops(kind) for kind in device_kinds]
    if None in peaks:
        return None
    peak = sum(filter(None, peaks))
    limits, options = config.model, config.grpo
    flops = model_flops_per_token(
        model,
        context=limits.max_prompt_tokens + limits.max_new_tokens,
        lora=LoraShape(rank=limits.lora_rank, alpha=limits.lora_alpha),
    )
    per_token = flops.grpo(reference=options.beta > 0) + (options.iterations - 1) * flops.update

    def of(record: StepRecord) -> float:
        prompts = record.completions * limits.max_prompt_tokens * (1 - record.prompt_padding)
        return (record.completion_tokens + prompts) * per_token / (record.step_s * peak)

    return of
