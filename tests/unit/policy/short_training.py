"""A few real GRPO steps of a very small model, for the tests of numbers, meshes and compilations.

As a program, `python tests/unit/policy/short_training.py OUT FSDPxTP...`, it trains once on each
mesh and writes what happened to OUT as JSON; `FSDPxTP+FSDPxTP` samples on a second mesh, and
`golden` in place of OUT writes the golden numbers anew. The score is a fixed function of the
text, so that nothing but the model decides the numbers.
"""

import json
import os
import sys
import tempfile
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

os.environ.setdefault("JAX_PLATFORMS", "cpu")

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from policy.gemma import TinyShape, init_tiny, load_pretrained, make_mesh, save_pretrained, tiny_config
from policy.lora import LoraShape, adapter_tensors, apply_lora
from policy.sampling import GenerationShape, Generator
from policy.tokenizer import Tokenizer, train_tokenizer
from reward_client.api import MathReference, Outcome, Sample, Score
from tasks.api import Demonstration, Domain, Example, Split
from trainer.config import TrainConfig, parse
from trainer.experience.collecting import Experience
from trainer.experience.disco import Disco
from trainer.experience.draws import Draw
from trainer.experience.grading import Grading
from trainer.grpo.assembly import Models, build_learner
from trainer.grpo.learner import Learner, StepResult

SHAPE = TinyShape(layers=2, width=32, hidden=64, head_dim=16, context=48)
GOLDEN = Path(__file__).parents[2] / "data" / "golden_step.json"
STEPS = 6  # the learning rate of a step depends on it
MAX_PROMPT, MAX_NEW = 32, 16
_PARTS = {"format": 1.0, "correctness": 0.0}


@dataclass(frozen=True, kw_only=True, slots=True)
class Ran:
    """What a short training left."""

    steps: list[StepResult]
    learner: Learner
    models: Models

    @property
    def sampled(self) -> list[list[list[int]]]:
        """Token ids, [steps][rows][tokens]."""
        return [
            [list(c.tokens) for each in step.learned for c in each.graded.group.completions]
            for step in self.steps
        ]

    @property
    def numbers(self) -> list[dict[str, float]]:
        names = ("loss", "kl", "grad_norm", "entropy")
        return [{name: getattr(step, name) for name in names} for step in self.steps]


class EvenScorer:
    """Scores a completion by its share of characters with an even code: something that can be learned."""

    def score(self, samples: Sequence[Sample], *, timeout_s: float) -> list[Outcome]:
        return [
            Outcome(
                sample_id=sample.sample_id,
                result=Score(
                    value=_even(sample.completion), components=_PARTS, verdict="PARTIAL", explanation=""
                ),
                reward_version="1.0.0+test",
                cached=False,
                queue_ms=0.0,
                grade_ms=0.0,
            )
            for sample in samples
        ]


def _even(text: str) -> float:
    return float(np.mean([ord(letter) % 2 == 0 for letter in text])) if text else 0.0


class Sums:
    """Draws of sums, in order; what `trainer.experience.draws.Draws` is to a whole run."""

    def __init__(self) -> None:
        self.position = 0

    def take(self, count: int) -> list[Draw]:
        first, self.position = self.position, self.position + count
        return [Draw(position=number, example=_sum(number)) for number in range(first, self.position)]

    def observe(self, example: Example, passed: np.ma.MaskedArray) -> None:
        """Learns nothing from a group."""

    def state(self) -> dict[str, Any]:
        return {"places": {"next_index": self.position}}


def make_config(*, steps: int) -> TrainConfig:
    config = parse(["--config", "tiny", "--steps", str(steps), "--checkpoint-every", "1000"])
    return replace(
        config,
        model=replace(config.model, max_prompt_tokens=MAX_PROMPT, max_new_tokens=MAX_NEW),
        grpo=replace(config.grpo, prompts=4, group_size=4, learning_rate=1e-2, warmup_share=0.5),
    )


def make_models(
    directory: Path, *, mesh: jax.sharding.Mesh, rollout: jax.sharding.Mesh | None, dtype: Any = jnp.float32
) -> Models:
    """Makes the same base, adapters and sampler at every call."""
    tokenizer = make_tokenizer(directory)
    # Of this process, also where others share in the training.
    one = jax.sharding.Mesh(np.array(jax.local_devices()[:1]).reshape(1, 1), ("fsdp", "tp"))
    save_pretrained(
        init_tiny(tiny_config(SHAPE, vocabulary=tokenizer.vocabulary), seed=0, mesh=one), directory / "base"
    )
    base = load_pretrained(directory / "base", dtype=dtype, mesh=mesh)
    policy = apply_lora(base, LoraShape(rank=4, alpha=8.0), seed=0, mesh=mesh)
    shape = GenerationShape(rows=16, max_prompt_tokens=MAX_PROMPT, max_new_tokens=MAX_NEW)
    generator = Generator(policy, tokenizer, shape, rollout or mesh)
    return Models(policy=policy, reference=base, generator=generator)


def make_tokenizer(directory: Path) -> Tokenizer:
    texts = [f"<start_of_turn>user\n{i} plus {j}?<end_of_turn>\n" for i in range(20) for j in range(20)]
    return train_tokenizer(texts, vocabulary=288, directory=directory)


def train(
    directory: Path,
    *,
    steps: int,
    mesh: jax.sharding.Mesh,
    rollout: jax.sharding.Mesh | None = None,
    dtype: Any = jnp.float32,
    after_step: Callable[[int], None] = lambda step: None,
    checkpoints: Path | None = None,
) -> Ran:
    """Trains `steps` steps; model, data and keys are the same at every call.

    Processes that train together need a directory of `checkpoints` in common.
    """
    config = make_config(steps=steps)
    models = make_models(directory, mesh=mesh, rollout=rollout, dtype=dtype)
    results: list[StepResult] = []

    def on_step(result: StepResult) -> None:
        results.append(result)
        after_step(result.step)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Tunix's and Orbax's own
        learner = _build(config, models, mesh, checkpoints or directory / "checkpoints", on_step)
        learner.run(stopping=lambda: False)
    return Ran(steps=results, learner=learner, models=models)


def _build(
    config: TrainConfig,
    models: Models,
    mesh: jax.sharding.Mesh,
    checkpoints: Path,
    on_step: Callable[[StepResult], None],
) -> Learner:
    draws: Any = Sums()
    return build_learner(
        config=config,
        models=models,
        mesh=mesh,
        prompt_of=lambda example: (
            f"<start_of_turn>user\n{example.prompt}<end_of_turn>\n<start_of_turn>model\n"
        ),
        experience_of=lambda sampler: Experience(
            config=config,
            draws=draws,
            sampler=sampler,
            grading=Grading(EvenScorer(), timeout_s=10.0, overlap=False),
        ),
        disco=Disco(mode="off", shares={}),
        checkpoints=checkpoints,
        about={},
        on_step=on_step,
    )


def _sum(number: int) -> Example:
    left, right = number % 10, number % 7 * 3
    answer = str(left + right)
    return Example(
        example_id=f"sums/train/{number}",
        dataset="sums",
        domain=Domain.MATH,
        split=Split.TRAIN,
        prompt=f"{left} plus {right}?",
        reward="math",
        reference=MathReference(answer=answer),
        demonstration=Demonstration(reasoning="", answer=answer),
    )


def layout(tree: Any) -> dict[str, dict[str, Any]]:
    """Shape, shape of a shard, and number of devices of each array that is no scalar, by path."""
    found = {}
    for path, leaf in jax.tree_util.tree_leaves_with_path(tree):
        if isinstance(leaf, jax.Array) and leaf.ndim > 0:
            found[jax.tree_util.keystr(path)] = {
                "shape": leaf.shape,
                "shard": leaf.addressable_shards[0].data.shape,
                "devices": len(leaf.devices()),
            }
    return found


def told(ran: Ran) -> dict[str, Any]:
    """What the golden file keeps: numbers of the steps, first completion, some adapter values at the end."""
    adapters = adapter_tensors(ran.models.policy)
    names = sorted(adapters)[:: len(adapters) // 4]
    return {
        "numbers": ran.numbers,
        "first_completion": ran.sampled[0][0],
        "adapters": {name: [float(value) for value in adapters[name].ravel()[:3]] for name in names},
    }


def meshes_of(name: str) -> tuple[jax.sharding.Mesh, jax.sharding.Mesh | None]:
    """Makes the mesh of training and that of sampling, where it has its own: "4x1+2x2"."""
    training, _, sampling = name.partition("+")
    fsdp, tp = map(int, training.split("x"))
    mesh = make_mesh(fsdp=fsdp, tp=tp)
    if not sampling:
        return mesh, None
    fsdp, tp = map(int, sampling.split("x"))
    return mesh, make_mesh(fsdp=fsdp, tp=tp, first=mesh.size)


def main(out: Path, meshes: Sequence[str]) -> None:
    told = {}
    for name in meshes:
        mesh, rollout = meshes_of(name)
        with tempfile.TemporaryDirectory() as directory:
            ran = train(Path(directory), steps=STEPS, mesh=mesh, rollout=rollout)
        trainer = ran.learner.rl_cluster.actor_trainer
        told[name] = {
            "numbers": ran.numbers,
            "sampled": ran.sampled,
            "lora": layout(nnx.state(trainer.model, nnx.LoRAParam)),
            "frozen": layout(nnx.state(trainer.model, nnx.All(nnx.Param, nnx.Not(nnx.LoRAParam)))),
            "optimizer": layout(nnx.state(trainer.optimizer)),
            "rollout_devices": sorted(device.id for device in ran.models.generator.mesh.devices.flat),
        }
    out.write_text(json.dumps(told))


def write_golden() -> None:
    with tempfile.TemporaryDirectory() as directory:
        ran = train(Path(directory), steps=STEPS, mesh=make_mesh(fsdp=1, tp=1))
    GOLDEN.write_text(json.dumps(told(ran), indent=1) + "\n")


if __name__ == "__main__":
    if sys.argv[1:] == ["golden"]:
        write_golden()
    else:
        main(Path(sys.argv[1]), sys.argv[2:])
