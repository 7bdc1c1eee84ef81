"""`python -m trainer.generate "PROMPT" [--run runs/latest]`: the greedy answer of a trained policy."""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro


@dataclass(frozen=True, kw_only=True, slots=True)
class GenerateConfig:
    prompt: Annotated[str, tyro.conf.Positional]
    """The question, in plain words."""
    run: Path = Path("runs/latest")
    """Directory of a finished run."""
    base: bool = False
    """Answer with the model before GRPO instead."""


def answer(config: GenerateConfig) -> str:
    """Loads the policy of a run and completes the rendered prompt greedily.

    Raises:
        policy.gemma.PolicyError: not a finished run, or the prompt is too long for it.
    """
    import jax  # noqa: PLC0415 - after the arguments are checked

    from policy.checkpoint import open_policy  # noqa: PLC0415
    from tasks.prompts import PromptTemplate  # noqa: PLC0415

    policy = open_policy(
        config.run, hash_of=lambda system: PromptTemplate(system=system).hash, trained=not config.base
    )
    prompt = PromptTemplate(system=policy.record.system).render(config.prompt)
    generator = policy.generator(rows=1)
    return generator.generate([prompt], temperature=0.0, key=jax.random.key(0))[0].text


def main() -> int:
    """Runs the command and returns its exit status."""
    config = tyro.cli(GenerateConfig, prog="python -m trainer.generate")
    from policy.errors import PolicyError  # noqa: PLC0415
    from trainer import environment  # noqa: PLC0415

    environment.prepare(cache=Path("runs/.cache/xla"))
    try:
        print(answer(config))  # noqa: T201 - the result of the command
    except PolicyError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
