"""The same held-out prompts before and after training: sampled at temperature 1, and greedy."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

import jax

from evals.grade import Graded, Grader, grade, prompt_rewards
from evals.results import DomainResult, domain_results, ungraded_by_kind
from policy.sampling import Generator
from tasks.api import Example
from tasks.prompts import PromptTemplate
from trainer.config import TrainConfig
from trainer.grading import STOP_MARKS
from trainer.records import domain_results_from_json
from trainer.rewards import clean_completion
from trainer.run_directory import RunDirectory


@dataclass(frozen=True, kw_only=True, slots=True)
class Evaluation:
    """Results by domain with `all`, and the mean sampled reward of each prompt that has one."""

    results: Mapping[str, DomainResult]
    prompt_rewards: Mapping[str, float]
    failures: Mapping[str, int]


def evaluate(
    name: str,
    *,
    generator: Generator,
    examples: Sequence[Example],
    template: PromptTemplate,
    grader: Grader,
    config: TrainConfig,
    run: RunDirectory,
) -> Evaluation:
    """Samples, grades and writes `evals/<name>.jsonl` and `evals/<name>.json`.

    Both evaluations of a run use the same sampling keys, so that only the weights differ.

    Raises:
        reward_client.api.RewardClientError: the completions could not be graded.
    """
    per_prompt = config.evals.samples_per_prompt
    prompts = [template.render(example.prompt) for example in examples]
    key = jax.random.key(config.seed)
    repeated = [prompt for prompt in prompts for _ in range(per_prompt)]
    sampled = _texts(generator, repeated, temperature=1.0, key=key)
    greedy = _texts(generator, prompts, temperature=0.0, key=key)
    groups = [sampled[start : start + per_prompt] for start in range(0, len(sampled), per_prompt)]
    graded_sampled = grade(grader, examples, groups)
    graded_greedy = grade(grader, examples, [[text] for text in greedy])
    evaluation = Evaluation(
        results=domain_results(graded_sampled, graded_greedy),
        prompt_rewards=prompt_rewards(graded_sampled),
        failures=ungraded_by_kind([*graded_sampled, *graded_greedy]),
    )
    _write(name, graded_sampled, graded_greedy, run)
    run.write_json(f"evals/{name}.json", asdict(evaluation))
    return evaluation


def read_evaluation(name: str, run: RunDirectory) -> Evaluation | None:
    """Reads an evaluation that this run has already made."""
    values = run.read_json(f"evals/{name}.json")
    if not isinstance(values, dict):
        return None
    results = domain_results_from_json(values["results"])
    return Evaluation(results=results, prompt_rewards=values["prompt_rewards"], failures=values["failures"])


def _texts(generator: Generator, prompts: Sequence[str], *, temperature: float, key: jax.Array) -> list[str]:
    completions = generator.generate(prompts, temperature=temperature, key=key)
    return [clean_completion(completion.text, STOP_MARKS) for completion in completions]


def _write(name: str, sampled: Sequence[Graded], greedy: Sequence[Graded], run: RunDirectory) -> None:
    path = run.path / "evals" / f"{name}.jsonl"
    path.parent.mkdir(exist_ok=True)
    path.unlink(missing_ok=True)
    for mode, items in (("sampled", sampled), ("greedy", greedy)):
        for item in items:
            row = {**asdict(item), "domain": item.domain.value, "mode": mode}
            run.append(f"evals/{name}.jsonl", row)
