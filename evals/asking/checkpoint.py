"""Answers from the policy of a training run.

The only file of evaluations that needs JAX: import it where a checkpoint is sampled.
"""

from collections.abc import Callable, Collection, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Self

import jax

from evals.asking.completions import Sampling
from evals.asking.models import Answer, Question
from evals.errors import CheckpointError
from policy.checkpoint import Policy, open_policy
from policy.errors import PolicyError
from tasks.prompts import PromptTemplate

_ROWS = 64  # prompts of a batch: its shape is compiled once
_HASHED_WHOLE = 64 * 2**20  # bytes; larger files stand for themselves by size and time


class CheckpointModel:
    """The policy of a run, or its `base` without the adapters."""

    def __init__(self, policy: Policy, *, name: str, identity: str) -> None:
        self._policy = policy
        self._template = PromptTemplate(system=policy.record.system)
        self.name = name
        self.identity = identity

    @classmethod
    def open(cls, run_dir: Path, *, base: bool) -> Self:
        """Load the policy of a run.

        Raises:
            CheckpointError: the directory holds no policy, or one that this code cannot use.
        """
        policy = open_run(run_dir, base=base)
        name = f"{run_dir} (base)" if base else str(run_dir)
        return cls(policy, name=name, identity=_identity(run_dir, policy, base=base))

    @property
    def prompt_hash(self) -> str | None:
        """Hash of the template that the policy was trained on."""
        return self._policy.record.prompt_hash

    @property
    def max_new_tokens(self) -> int:
        """Token budget that the policy was trained with."""
        return self._policy.record.max_new_tokens

    def takes(self, prompt: str) -> bool:
        """Say whether the rendered prompt is as short as those of training."""
        rendered = self._template.render(prompt)
        return self._policy.tokenizer.prompt_length(rendered) <= self._policy.record.max_prompt_tokens

    def answer(
        self,
        questions: Sequence[Question],
        *,
        missing: Collection[int],
        sampling: Sampling,
        on_answer: Callable[[int, Answer], None],
    ) -> None:
        """Answer in batches whose rows and random keys are fixed by the place in `questions`."""
        wanted = set(missing)
        generator = self._policy.generator(rows=min(_ROWS, len(questions)))
        for start in range(0, len(questions), _ROWS):
            batch = questions[start : start + _ROWS]
            if wanted.isdisjoint(range(start, start + len(batch))):
                continue
            completions = generator.generate(
                [self._template.render(question.prompt) for question in batch],
                temperature=sampling.temperature,
                key=jax.random.fold_in(jax.random.key(sampling.seed), start),
            )
            for index, completion in enumerate(completions, start=start):
                if index in wanted:
                    on_answer(index, Answer(text=completion.text, truncated=completion.truncated))


def open_run(run_dir: Path, *, base: bool) -> Policy:
    """Load the policy of a run, or the base that it was trained from.

    Raises:
        CheckpointError: the directory holds no policy, or one that this code cannot use.
    """
    try:
        return open_policy(
            run_dir, hash_of=lambda system: PromptTemplate(system=system).hash, trained=not base
        )
    except PolicyError as error:
        raise CheckpointError(str(error)) from error


def _identity(run_dir: Path, policy: Policy, *, base: bool) -> str:
    """Digest the files that the weights and the tokenizer come from, and the prompt template."""
    record = policy.record
    directories = [run_dir / record.base]  # an absolute base replaces the run's own path
    if not base:
        directories.append(run_dir / "lora")
    digest = sha256(f"{record.prompt_hash}/{record.dtype}/{record.max_prompt_tokens}".encode())
    for path in sorted(file for directory in directories for file in directory.rglob("*") if file.is_file()):
        stat = path.stat()
        large = stat.st_size > _HASHED_WHOLE
        digest.update(path.name.encode())
        digest.update(
            f"{stat.st_size}/{stat.st_mtime_ns}".encode() if large else sha256(path.read_bytes()).digest()
        )
    return digest.hexdigest()
