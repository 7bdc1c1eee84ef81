"""MaxText 0.2.5's call: the function is loaded from a file, wrapped, and handed to Tunix, which is here.

MaxText needs Python 3.12 and is not installed: its wrapper is written out below, Tunix's reward
manager is the real one.
"""

import functools
import importlib.util
import pickle
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from reward_client.adapters.insist import NoScoreError
from reward_client.adapters.maxtext import MaxTextReward
from reward_client.adapters.task import read_task
from reward_client.api import RewardRequestError
from tests.fake_rewards import Inline, Judge, completion
from tests.live import live

FILE = """
from reward_client.adapters.maxtext import MaxTextReward
from reward_client.adapters.task import Task
from reward_client.api import MathReference


def task_of(row):
    return Task(reward="math", reference=MathReference(answer=row["answer"]))


reward = MaxTextReward("ADDRESS", task_of, timeout_s=20.0)
"""


@pytest.fixture
def address() -> Iterator[str]:
    with live(Inline(Judge(), name="math")) as address:
        yield address


@pytest.fixture
def loaded(address: str, tmp_path: Path) -> Iterator[Callable[..., list[float]]]:
    """The function as MaxText gets it: by file and name, its configuration bound to it."""
    path = tmp_path / "my_rewards.py"
    path.write_text(FILE.replace("ADDRESS", address))
    spec = importlib.util.spec_from_file_location("my_rewards", path)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    yield RewardFn(module.reward, SimpleNamespace(debug=False))
    module.reward.close()


class RewardFn:
    """`_RewardFn` of maxtext/trainers/post_train/rl/train_rl.py, 0.2.5."""

    def __init__(self, fn: Callable[..., Any], tmvp_config: Any) -> None:
        functools.update_wrapper(self, fn)
        self.fn = fn
        self.tmvp_config = tmvp_config

    def __call__(self, **kwargs: Any) -> Any:
        return self.fn(tmvp_config=self.tmvp_config, **kwargs)


def batch(*answers: str) -> dict[str, Any]:
    """A batch as Tunix passes it: columns are arrays of NumPy's strings."""
    count = len(answers)
    return {
        "prompts": list(np.array(["<start_of_turn>user\nhow many?<end_of_turn>\n"] * count)),
        "completions": [completion(answer) for answer in answers],
        "question": np.array(["how many?"] * count),
        "answer": np.array(["4"] * count),
        "trajectory_ids": [f"0_{index}" for index in range(count)],
        "mode": "train",
    }


def test_the_real_reward_manager_of_tunix_takes_its_scores(loaded: Callable[..., list[float]]) -> None:
    from tunix.rl.grpo.grpo_learner import GRPOConfig
    from tunix.rl.reward_manager import SequenceRewardManager

    manager = SequenceRewardManager([loaded], GRPOConfig(num_generations=2))
    found = manager(**batch("right", "x", "right", "y"))

    assert list(found["rewards"]) == pytest.approx([1.0, 0.6, 1.0, 0.6])
    assert any("assay" in name for name in found["log_metrics"])


def test_scores_come_in_order_as_plain_numbers_and_stop_marks_are_no_part_of_the_answer(
    loaded: Callable[..., list[float]],
) -> None:
    values = batch("right", "x")
    values["completions"][0] += "<end_of_turn>"
    scores = loaded(**values)

    assert scores == pytest.approx([1.0, 0.6])
    assert {type(score) for score in scores} == {float}


def test_what_may_pass_is_asked_for_again_and_what_does_not_ends_the_run(
    loaded: Callable[..., list[float]], address: str
) -> None:
    assert loaded(**batch("flaky", "x")) == pytest.approx([0.6, 0.6])

    impatient = MaxTextReward(address, lambda row: read_task(row["answer"], reward="math"), timeout_s=0.5)
    with pytest.raises(NoScoreError, match="GRADER"):
        impatient(**batch("x", "broken"))
    impatient.close()


def test_a_row_whose_reference_cannot_be_read_is_an_error(address: str) -> None:
    reward = MaxTextReward(address, lambda row: read_task(row["answer"]))
    with pytest.raises(RewardRequestError, match="no reward is named for it"):
        reward(**batch("x"))
    reward.close()


def test_it_can_be_carried_to_a_worker_process_also_after_a_call(address: str) -> None:
    reward = MaxTextReward(address, functools.partial(_task_of, reward="math"))
    reward(**batch("x"))
    carried = pickle.loads(pickle.dumps(reward))

    assert carried(**batch("right")) == [1.0]
    assert carried.__name__ == "assay"
    for each in (reward, carried):
        each.close()


def _task_of(row: dict[str, Any], *, reward: str) -> Any:
    return read_task(row["answer"], reward=reward)
