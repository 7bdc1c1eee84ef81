"""The same held-out prompts before, while and after training: sampled at temperature 1, and greedy.

All evaluations of a run use the same sampling keys, so that only the weights differ, and none
of the training's. The compiled sampler is that of the rollouts.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass

import jax

from evals.grade import Graded, Grader, grade, prompt_rewards
from evals.results import DomainResult, domain_results, ungraded_by_kind
from policy.sampling import Generator
from tasks.api import Example
from tasks.prompts import PromptTemplate
from trainer.evaluation.held_out import DIRECTORY
from trainer.experience.grading import STOP_MARKS
from trainer.experience.rewards import clean_completion
from trainer.run_files.records import domain_results_from_json
from trainer.run_files.run_directory import RunDirectory


@dataclass(frozen=True, kw_only=True, slots=True)
class Evaluation:
    """Results by domain with `all`, and the mean sampled reward of each prompt that has one."""

    results: Mapping[str, DomainResult]
    prompt_rewards: Mapping[str, float]
    failures: Mapping[str, int]


@dataclass(frozen=True, kw_only=True, slots=True)
class Completions:
    """What the policy wrote for each held-out prompt: samples, and one greedy text."""

    sampled: Sequence[Sequence[str]]
    greedy: Sequence[str]


class Evaluator:
    """Asks a run's held-out prompts, and has the completions graded."""

    def __init__(
        self,
        *,
        generator: Generator,
        examples: Sequence[Example],
        template: PromptTemplate,
        grader: Grader,
        seed: int,
        run: RunDirectory,
    ) -> None:
        self._generator = generator
        self._examples = examples
        self._prompts = [template.render(example.prompt) for example in examples]
        self._grader = grader
        self._key = jax.random.key(seed)
        self._run = run

    def completions(self, samples: int) -> int:
        """Counts what `ask` writes."""
        return (samples + 1) * len(self._prompts)

    def ask(self, samples: int, *, on_done: Callable[[int], None]) -> Completions:
        """Completes every prompt `samples` times and once greedily; `on_done` counts completions."""
        repeated = [prompt for prompt in self._prompts for _ in range(samples)]
        sampled = self._texts(repeated, temperature=1.0, on_done=on_done)
        return Completions(
            sampled=[sampled[start : start + samples] for start in range(0, len(sampled), samples)],
            greedy=self._texts(self._prompts, temperature=0.0, on_done=on_done),
        )

    def grade(self, name: str, completions: Completions) -> Evaluation:
        """Grades and writes `evals/<name>.jsonl` and, when that is whole, `evals/<name>.json`.

        Raises:
            reward_client.api.RewardClientError: the completions could not be graded.
        """
        sampled = grade(self._grader, self._examples, completions.sampled)
        greedy = grade(self._grader, self._examples, [[text] for text in completions.greedy])
        evaluation = Evaluation(
            results=domain_results(sampled, greedy),
            prompt_rewards=prompt_rewards(sampled),
            failures=ungraded_by_kind([*sampled, *greedy]),
        )
        self._write(name, sampled, greedy)
        self._run.write_json(f"{DIRECTORY}/{name}.json", asdict(evaluation))
        return evaluation

    def _texts(
        self, prompts: Sequence[str], *, temperature: float, on_done: Callable[[int], None]
    ) -> list[str]:
        completions = self._generator.generate(
            prompts, temperature=temperature, key=self._key, on_done=on_done
        )
        return [clean_completion(completion.text, STOP_MARKS) for completion in completions]

    def _write(self, name: str, sampled: Sequence[Graded], greedy: Sequence[Graded]) -> None:
        rows = [
            {**asdict(item), "domain": item.domain.value, "mode": mode}
            for mode, items in (("sampled", sampled), ("greedy", greedy))
            for item in items
        ]
        self._run.write_text(
            f"{DIRECTORY}/{name}.jsonl", "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        )


def read_evaluation(name: str, run: RunDirectory) -> Evaluation | None:
    """Reads an evaluation that this run has already made."""
    values = run.read_json(f"{DIRECTORY}/{name}.json")
    if not isinstance(values, dict):
        return None
    results = domain_results_from_json(values["results"])
    return Evaluation(results=results, prompt_rewards=values["prompt_rewards"], failures=values["failures"])
