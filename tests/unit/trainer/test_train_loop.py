"""The whole loop with a scorer of our own: what Tunix is asked to do, and resume to the last bit."""

from dataclasses import replace
from pathlib import Path

import jax
import numpy as np
import pytest

from policy.checkpoint import open_policy
from policy.errors import PolicyError
from reward_client.api import Outcome, RewardUnavailableError, Sample
from tasks.prompts import PromptTemplate
from tests.unit.trainer.loops import LengthScorer, numbers, run, texts
from trainer.config import TrainConfig
from trainer.experience.rewards import TooManyFailuresError
from trainer.grpo import rollout as tunix_rollout
from trainer.run_files.run_directory import RunDirectory

pytestmark = [
    pytest.mark.filterwarnings("ignore:.with mesh..:DeprecationWarning"),
    pytest.mark.usefixtures("compiled_once"),
]


def test_a_run_that_lost_its_server_goes_on_to_the_same_numbers(small: TrainConfig, tmp_path: Path) -> None:
    whole, broken, resumed = LengthScorer(), LengthScorer(), LengthScorer()
    run(small, tmp_path / "whole", whole)

    # Calls: the probe, two of the first evaluation, then one a step.
    broken.fail_call = 3 + 4
    with pytest.raises(RewardUnavailableError):
        run(small, tmp_path / "broken", broken)
    summary = run(small, tmp_path / "broken", resumed)

    straight = RunDirectory(tmp_path / "whole").read_steps()
    again = RunDirectory(tmp_path / "broken").read_steps()
    assert summary.resumed_from_step == 3
    assert [numbers(record) for record in again] == [numbers(record) for record in straight]
    assert [texts(call) for call in resumed.calls[1:4]] == [texts(call) for call in whole.calls[3 + 3 :][:3]]
    assert len(straight) == small.steps


def test_one_call_a_step_carries_whole_groups_and_keys_differ_between_steps(
    small: TrainConfig, tmp_path: Path
) -> None:
    # One prompt for ever: whatever differs between steps is the sampling key.
    scorer = LengthScorer()
    run(replace(small, steps=3), tmp_path, scorer)

    steps = scorer.calls[3:6]
    for call in steps:
        assert len(call) == 4 * 2
        assert [sample.group_id for sample in call[::2]] == [sample.group_id for sample in call[1::2]]
        assert len({sample.sample_id for sample in call}) == len(call)


def test_every_rollout_call_has_a_key_of_its_own() -> None:
    keys: list[tuple[int, ...]] = []

    class Recorder:
        backend = None

        def generate_rows(self, prompts: list[str], *, temperature: float, key: jax.Array) -> object:
            keys.append(tuple(np.asarray(jax.random.key_data(key)).tolist()))
            raise StopIteration

    def call(rollout: tunix_rollout.SeededRollout, step: int, number: int) -> None:
        rollout.at(step=step, call=number)
        with pytest.raises(StopIteration):
            rollout.generate(["p"], tunix_rollout.base_rollout.RolloutConfig())

    rollout = tunix_rollout.SeededRollout(rollout_actor=None, generator=Recorder(), seed=1)
    for step, number in ((0, 0), (0, 1), (1, 0), (1, 1), (2, 0)):
        call(rollout, step, number)
    resumed = tunix_rollout.SeededRollout(rollout_actor=None, generator=Recorder(), seed=1)
    call(resumed, 2, 0)

    assert len(set(keys[:5])) == 5
    assert keys[5] == keys[4]


def test_a_server_without_a_sandbox_costs_the_code_domain_and_nothing_else(
    small: TrainConfig, tmp_path: Path
) -> None:
    scorer = LengthScorer()
    scorer.failing_rewards = {"code"}
    summary = run(replace(small, steps=1), tmp_path, scorer)

    assert summary.skipped == {"code": "no engine"}
    assert "code" not in summary.after
    assert not any(sample.reward == "code" for call in scorer.calls[1:] for sample in call)
    assert summary.failures == {}


def test_a_step_without_enough_scores_stops_the_run_and_keeps_a_checkpoint(
    small: TrainConfig, tmp_path: Path
) -> None:
    class Breaking(LengthScorer):
        def _outcome(self, sample: Sample) -> Outcome:
            if len(self.calls) == 3 + 3:
                self.failing_rewards = {sample.reward}
            return super()._outcome(sample)

    with pytest.raises(TooManyFailuresError):
        run(small, tmp_path, Breaking())

    assert [path.name for path in (tmp_path / "checkpoints" / "actor").iterdir() if path.name == "2"]
    assert len(RunDirectory(tmp_path).read_steps()) == 2


def test_a_finished_run_opens_as_a_policy_and_refuses_other_prompts(
    small: TrainConfig, tmp_path: Path
) -> None:
    run(replace(small, steps=1), tmp_path, LengthScorer())

    policy = open_policy(tmp_path, hash_of=lambda system: PromptTemplate(system=system).hash)
    prompt = PromptTemplate(system=policy.record.system).render("what is 1 + 1?")
    completions = policy.generator(rows=2).generate([prompt], temperature=0.0, key=jax.random.key(0))
    assert len(completions) == 1
    with pytest.raises(PolicyError, match="trained on prompt template"):
        open_policy(tmp_path, hash_of=lambda system: "another")


def test_the_loss_uses_the_k3_estimate_of_kl(
    monkeypatch: pytest.MonkeyPatch, small: TrainConfig, tmp_path: Path
) -> None:
    from tunix.rl import common

    used: list[str] = []
    original = common.compute_kl_divergence

    def spy(new: object, reference: object, method: str = "?", **kwargs: object) -> object:
        used.append(method)
        return original(new, reference, method, **kwargs)

    monkeypatch.setattr(common, "compute_kl_divergence", spy)
    run(replace(small, steps=2), tmp_path, LengthScorer())

    assert set(used) == {"low_var_kl"}
    kl = [record.kl for record in RunDirectory(tmp_path).read_steps()]
    assert kl[0] == pytest.approx(0.0, abs=1e-6)
    assert kl[1] > 0
