"""Every algorithm and sampling option end to end, and resumes that go on to the same numbers."""

import json
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from reward_client.api import Outcome, RewardUnavailableError, Sample
from tests.unit.trainer.loops import LengthScorer, grpo_only, numbers
from trainer.config import ConfigurationError, TrainConfig, problems
from trainer.grpo.learner import NotFiniteError
from trainer.run_files.records import StepRecord
from trainer.run_files.run_directory import RunDirectory

pytestmark = pytest.mark.filterwarnings("ignore:.with mesh..:DeprecationWarning")

# Calls of the scorer before the first step: the probe alone.
PROBE = 1

OPTIONS: dict[str, dict[str, Any]] = {
    "dr. grpo": {"grpo": {"advantage": "mean", "loss_mean": "constant", "beta": 0.0}},
    "dapo": {
        "grpo": {
            "beta": 0.0,
            "clip_high": 0.28,
            "loss_mean": "token",
            "iterations": 2,
            "zero_variance": "refill",
            "extra_prompts": 8,
            "mask_truncated": True,
        }
    },
    "gspo": {
        "grpo": {
            "ratio": "sequence",
            "clip_low": 3e-4,
            "clip_high": 4e-4,
            "iterations": 2,
            "micro_prompts": 2,
        }
    },
    "k2, masked groups": {"grpo": {"kl": "k2", "zero_variance": "mask", "micro_prompts": 1}},
    "disco": {"grpo": {"advantage": "mean"}, "rewards": {"disco": "both"}},
    "one step off-policy": {"grpo": {"one_step_off_policy": True, "rollout_prompts": 2}},
    "pass rates": {"data": {"exhausted": "pass_rate", "samples": 4}},
}


def with_options(config: TrainConfig, options: dict[str, dict[str, Any]], **fields: Any) -> TrainConfig:
    changed = {name: replace(getattr(config, name), **values) for name, values in options.items()}
    config = replace(config, **changed, **fields)
    assert list(problems(config)) == []
    return config


@pytest.mark.parametrize("name", OPTIONS)
def test_two_steps_run_end_to_end(name: str, small: TrainConfig, finished: Path, tmp_path: Path) -> None:
    config = with_options(small, OPTIONS[name], steps=2)
    records = grpo_only(config, finished, tmp_path / "run", LengthScorer())

    assert [record.step for record in records] == [1, 2]
    assert records[-1].updates == 2 * config.grpo.iterations
    assert all(np.isfinite([record.loss, record.grad_norm]).all() for record in records)
    assert any(record.grad_norm > 0 for record in records)
    assert all(np.isfinite(record.kl) == (config.grpo.beta > 0) for record in records)
    assert (tmp_path / "run" / "lora").is_dir()


class Slow(LengthScorer):
    """Answers late, and later calls sooner, so that outcomes arrive out of order."""

    def score(self, samples: Sequence[Sample], *, timeout_s: float) -> list[Outcome]:
        outcomes = super().score(samples, timeout_s=timeout_s)
        time.sleep(0.05 + 0.05 * (len(self.calls) % 3))
        return outcomes


def test_grading_in_the_background_changes_no_number(
    small: TrainConfig, finished: Path, tmp_path: Path
) -> None:
    chunks = {"micro_prompts": 1, "rollout_prompts": 2}
    runs: list[list[StepRecord]] = []
    for overlap in (True, False):
        config = with_options(small, {"grpo": chunks, "rewards": {"overlap": overlap}}, steps=3)
        runs.append(grpo_only(config, finished, tmp_path / str(overlap), Slow()))

    assert [numbers(record) for record in runs[0]] == [numbers(record) for record in runs[1]]
    assert sum(record.reward_wait_s for record in runs[0]) < sum(record.reward_wait_s for record in runs[1])


@pytest.mark.parametrize(
    ("options", "fail_call"),
    [
        # The third of four micro-batches of step 4: two gradients are already added up.
        ({"grpo": {"micro_prompts": 1}}, PROBE + 3 * 4 + 3),
        ({"grpo": {"iterations": 2}}, PROBE + 3 + 1),
        # How many calls a refilling step makes depends on the rewards.
        ({"grpo": {"zero_variance": "refill", "extra_prompts": 8}}, PROBE + 7),
        ({"data": {"exhausted": "pass_rate", "samples": 4}}, PROBE + 3 + 1),
    ],
    ids=["micro-batches", "iterations", "refill", "pass rates"],
)
def test_a_run_that_lost_its_server_within_a_step_goes_on_to_the_same_numbers(
    options: dict[str, Any], fail_call: int, small: TrainConfig, finished: Path, tmp_path: Path
) -> None:
    config = with_options(small, options, steps=5)
    whole = grpo_only(config, finished, tmp_path / "whole", LengthScorer())

    breaking = LengthScorer()
    breaking.fail_call = fail_call
    with pytest.raises(RewardUnavailableError):
        grpo_only(config, finished, tmp_path / "broken", breaking)
    before = RunDirectory(tmp_path / "broken").read_steps()
    again = grpo_only(config, finished, tmp_path / "broken", LengthScorer())

    assert 0 < len(before) < 5
    assert [numbers(record) for record in again] == [numbers(record) for record in whole]


def test_a_second_update_uses_the_advantages_and_the_old_policy_of_the_first(
    small: TrainConfig, finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tunix.rl import rl_cluster

    seen: list[Any] = []
    update = rl_cluster.RLCluster.update_actor

    def spy(self: Any, examples: list[Any], *rest: Any) -> None:
        seen.extend(examples)
        update(self, examples, *rest)

    monkeypatch.setattr(rl_cluster.RLCluster, "update_actor", spy)
    config = with_options(small, {"grpo": {"iterations": 3, "micro_prompts": 2}}, steps=1)
    (record,) = grpo_only(config, finished, tmp_path / "run", LengthScorer())

    assert len(seen) == 3 * 2
    for later in (2, 4):
        assert seen[later] is seen[0]
        assert seen[later + 1] is seen[1]
    assert seen[0].old_per_token_logps.shape == seen[0].completion_ids.shape
    assert record.updates == 3


def test_a_refilled_step_trains_on_groups_with_variance_and_says_what_it_drew(
    small: TrainConfig, finished: Path, tmp_path: Path
) -> None:
    class Coarse(LengthScorer):
        def _value(self, sample: Sample) -> float:
            return float(len(sample.completion) % 2)

    kept, refilled = (
        grpo_only(
            with_options(small, {"grpo": options}, steps=2),
            finished,
            tmp_path / options["zero_variance"],
            Coarse(),
        )
        for options in ({"zero_variance": "mask"}, {"zero_variance": "refill", "extra_prompts": 16})
    )

    assert sum(record.zero_variance_share for record in kept) > sum(r.zero_variance_share for r in refilled)
    assert all(record.completions_in_loss == round(8 * (1 - record.zero_variance_share)) for record in kept)
    assert refilled[-1].data_position == sum(record.groups_drawn for record in refilled) > 8
    assert all(record.groups_drawn <= 4 + 16 for record in refilled)


def test_a_checkpoint_says_with_what_it_was_made(small: TrainConfig, finished: Path, tmp_path: Path) -> None:
    config = replace(small, steps=2)
    grpo_only(config, finished, tmp_path / "run", LengthScorer())

    (metadata,) = (tmp_path / "run" / "checkpoints" / "actor" / "2").glob("_CHECKPOINT_METADATA")
    told = json.loads(metadata.read_text())["custom_metadata"]
    policy = json.loads((tmp_path / "run" / "policy.json").read_text())
    assert told["prompt_hash"] == policy["prompt_hash"]
    assert told["data"]["places"] == {"next_index": 2 * 4}
    assert told["reward_versions"]["math"] == "1.0.0+test"
    assert {record.prompt_hash for record in RunDirectory(tmp_path / "run").read_steps()} == {
        told["prompt_hash"]
    }


def test_a_checkpoint_of_another_prompt_template_is_refused(
    small: TrainConfig, finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from trainer.preparing import base

    breaking = LengthScorer()
    breaking.fail_call = PROBE + 2
    with pytest.raises(RewardUnavailableError):
        grpo_only(small, finished, tmp_path / "run", breaking)
    monkeypatch.setattr(base, "SHORT_SYSTEM", "Answer in another form.")

    with pytest.raises(ConfigurationError, match=r"step 1 was trained on prompt template"):
        grpo_only(small, finished, tmp_path / "run", LengthScorer())


def test_an_update_that_is_not_finite_stops_the_run_and_leaves_the_checkpoint_before_it(
    small: TrainConfig, finished: Path, tmp_path: Path
) -> None:
    # Nothing but the learning rate of the second update makes the third one overflow.
    grpo = replace(small.grpo, learning_rate=1e37, warmup_share=0.0, clip_norm=1e30)
    config = replace(small, grpo=grpo, checkpoint_every=1)

    with pytest.raises(NotFiniteError, match=r"step \d: (loss|kl|grad_norm|entropy) is (nan|inf)"):
        grpo_only(config, finished, tmp_path / "run", LengthScorer())

    done = len(RunDirectory(tmp_path / "run").read_steps())
    kept = sorted(int(path.name) for path in (tmp_path / "run" / "checkpoints" / "actor").iterdir())
    assert 1 <= done < 6
    assert kept[-1] == done


def test_seconds_are_those_of_all_processes_of_a_run(
    small: TrainConfig, finished: Path, tmp_path: Path
) -> None:
    breaking = LengthScorer()
    breaking.fail_call = PROBE + 2
    with pytest.raises(RewardUnavailableError):
        grpo_only(replace(small, steps=2), finished, tmp_path / "run", breaking)
    first = json.loads((tmp_path / "run" / "seconds.json").read_text())
    grpo_only(replace(small, steps=2), finished, tmp_path / "run", LengthScorer())

    summary = json.loads((tmp_path / "run" / "summary.json").read_text())["seconds"]
    assert summary["train"] > first["train"] > 0
    assert summary["total"] > first["total"]
    assert summary["total"] >= sum(seconds for name, seconds in summary.items() if name != "total") - 0.1


def test_budgets_cut_completions_and_truncation_is_counted_by_domain(
    small: TrainConfig, finished: Path, tmp_path: Path
) -> None:
    budgets = replace(small.model.budgets, math=3, science=5)
    config = with_options(small, {"model": {"budgets": budgets}, "grpo": {"mask_truncated": True}}, steps=1)
    scorer = LengthScorer()
    (record,) = grpo_only(config, finished, tmp_path / "run", scorer)

    assert record.length_by_domain.get("math", 0) <= 3
    assert record.length_by_domain.get("science", 0) <= 5
    assert sum(record.truncated_by_domain.values()) == round(record.truncated_share * record.completions)
    assert record.completions_in_loss == record.completions - sum(record.truncated_by_domain.values())
