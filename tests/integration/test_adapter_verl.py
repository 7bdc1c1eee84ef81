"""verl 0.9.1: its calls by keyword, and its own reward managers where they are installed."""

import asyncio
import importlib
import importlib.util
import pickle
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from reward_client.adapters.insist import NoScoreError
from reward_client.adapters.verl import VerlReward
from reward_client.api import RewardRequestError
from tests.conftest import missing
from tests.fake_rewards import Inline, Judge, completion
from tests.live import live

WAIT_S = 20.0
GROUND_TRUTH = '{"reward": "inline", "math": {"answer": "4"}}'


@pytest.fixture
def judge() -> Judge:
    return Judge()


@pytest.fixture
def address(judge: Judge) -> Iterator[str]:
    with live(Inline(judge), Inline(judge, name="math")) as address:
        yield address


@pytest.fixture
def rewards(address: str) -> Iterator[VerlReward]:
    rewards = VerlReward(address, rewards={"openai/gsm8k": "math"}, timeout_s=WAIT_S)
    yield rewards
    rewards.close()


@pytest_asyncio.fixture
async def async_rewards(address: str) -> AsyncIterator[VerlReward]:
    rewards = VerlReward(address, timeout_s=WAIT_S)
    yield rewards
    await rewards.close_async()


def one(answer: str, **changes: object) -> dict[str, Any]:
    call = {
        "data_source": "openai/gsm8k",
        "solution_str": completion(answer),
        "ground_truth": GROUND_TRUTH,
        "extra_info": {"num_turns": None, "rollout_reward_scores": {}},
    }
    return {**call, **changes}


def test_a_sample_is_scored_with_what_verl_logs(rewards: VerlReward) -> None:
    result = rewards.compute_score(**one("x"))

    assert result == {"score": pytest.approx(0.6), "acc": 0.5, "format": 1.0, "verdict": "PARTIAL"}


def test_a_plain_ground_truth_is_read_by_its_data_source(rewards: VerlReward) -> None:
    assert rewards.compute_score(**one("x", ground_truth="18"))["score"] == pytest.approx(0.6)


def test_a_data_source_without_a_reward_is_refused_by_name(rewards: VerlReward) -> None:
    with pytest.raises(RewardRequestError, match="'18' is plain text, and no reward is named"):
        rewards.compute_score(**one("x", ground_truth="18", data_source="unheard/of"))


def test_a_batch_keeps_its_order(rewards: VerlReward) -> None:
    results = rewards.compute_score_batch(
        data_sources=["a", "b", "c"],
        solution_strs=[completion("x"), "no form at all", completion("y")],
        ground_truths=[GROUND_TRUTH] * 3,
        extra_infos=[{}] * 3,
    )

    assert [result["verdict"] for result in results] == ["PARTIAL", "FORMAT_INVALID", "PARTIAL"]


async def test_the_async_form_scores_samples_side_by_side(async_rewards: VerlReward) -> None:
    calls = [async_rewards.compute_score_async(**one(f"x{n}")) for n in range(32)]

    results = await asyncio.gather(*calls)

    assert [result["score"] for result in results] == pytest.approx([0.6] * 32)


def test_a_failure_that_passes_is_asked_for_again(rewards: VerlReward, judge: Judge) -> None:
    assert rewards.compute_score(**one("flaky"))["score"] == pytest.approx(0.6)
    assert judge.seen == ["flaky", "flaky"]


def test_only_what_has_no_score_is_asked_for_again(rewards: VerlReward, judge: Judge) -> None:
    rewards.compute_score_batch(
        ["a"] * 2, [completion("x"), completion("flaky")], [GROUND_TRUTH] * 2, [{}] * 2
    )

    assert judge.seen == ["x", "flaky", "flaky"]


def test_a_failure_that_stays_is_an_error_and_no_score(address: str) -> None:
    rewards = VerlReward(address, timeout_s=1.5)

    with pytest.raises(NoScoreError, match="GRADER_TIMEOUT: the grader ran out") as caught:
        rewards.compute_score(**one("broken"))
    assert not isinstance(caught.value, TimeoutError), "verl's naive manager makes a 0.0 of that"
    rewards.close()


def test_a_broken_reference_is_not_asked_for_again(rewards: VerlReward) -> None:
    unknown = '{"reward": "nobody", "math": {"answer": "4"}}'

    with pytest.raises(NoScoreError, match="UNKNOWN_REWARD"):
        rewards.compute_score(**one("x", ground_truth=unknown))


def test_it_travels_to_other_processes_before_its_first_call(address: str) -> None:
    rewards = pickle.loads(pickle.dumps(VerlReward(address, timeout_s=WAIT_S)))

    assert rewards.compute_score(**one("x"))["acc"] == 0.5
    rewards.close()


# --- verl itself ----------------------------------------------------------------------------


class Bytes:
    """What verl's managers use of a tokenizer; a token is a byte."""

    def decode(self, ids: Any, skip_special_tokens: bool = True) -> str:
        return bytes(int(each) for each in ids).decode()


@pytest.fixture
def verl(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("VERL_USE_EXTERNAL_PLUGINS", "none")
    if importlib.util.find_spec("verl") is None:
        missing("verl is not installed: make interop")
    return importlib.import_module("verl")


def proto(verl: Any, texts: list[str]) -> Any:
    """A batch as verl's rollout leaves it: prompt and response side by side, padded on the right."""
    import numpy as np
    import torch

    prompt, width = b"2+2?", max(map(len, texts))
    responses = torch.tensor([[*text.encode().ljust(width, b"\0")] for text in texts])
    prompts = torch.tensor([[*prompt]] * len(texts))
    mask = torch.tensor([[1] * (len(prompt) + len(text)) + [0] * (width - len(text)) for text in texts])
    return verl.DataProto.from_dict(
        tensors={"prompts": prompts, "responses": responses, "attention_mask": mask},
        non_tensors={
            "data_source": np.array(["openai/gsm8k"] * len(texts), dtype=object),
            "reward_model": np.array([{"ground_truth": GROUND_TRUTH}] * len(texts), dtype=object),
            "extra_info": np.array([{} for _ in texts], dtype=object),
        },
    )


@pytest.mark.filterwarnings("ignore")
def test_verls_batch_manager_puts_the_rewards_on_the_last_tokens(verl: Any, rewards: VerlReward) -> None:
    from verl.workers.reward_manager.batch import BatchRewardManager

    texts = [completion("x"), "no form"]
    manager = BatchRewardManager(Bytes(), num_examine=0, compute_score=rewards.compute_score_batch)

    result = manager(proto(verl, texts), return_dict=True)

    assert result["reward_tensor"].sum(dim=-1).tolist() == pytest.approx([0.6, 0.0])
    assert result["reward_tensor"][0, len(texts[0]) - 1] == pytest.approx(0.6)
    assert result["reward_extra_info"]["verdict"] == ["PARTIAL", "FORMAT_INVALID"]


@pytest.mark.filterwarnings("ignore")
def test_verls_naive_manager_does_not_make_a_zero_of_a_failure(verl: Any, address: str) -> None:
    from verl.workers.reward_manager.naive import NaiveRewardManager

    rewards = VerlReward(address, timeout_s=1.5)
    manager = NaiveRewardManager(
        Bytes(), num_examine=0, compute_score=rewards.compute_score, compute_score_timeout=60
    )

    with pytest.raises(NoScoreError):
        manager(proto(verl, [completion("broken")]))
    rewards.close()


@pytest.mark.filterwarnings("ignore")
async def test_verls_reward_loop_loads_the_users_file_and_awaits_the_async_form(
    verl: Any, address: str, tmp_path: Path
) -> None:
    from omegaconf import OmegaConf
    from verl.experimental.reward_loop.reward_manager.naive import NaiveRewardManager
    from verl.trainer.ppo.reward import get_custom_reward_fn

    file = tmp_path / "my_reward.py"
    file.write_text(
        "from reward_client.adapters.verl import VerlReward\n"
        f"compute_score = VerlReward({address!r}).compute_score_async\n"
    )
    config = OmegaConf.create(
        {"reward": {"custom_reward_function": {"path": str(file), "name": "compute_score"}}}
    )
    function = get_custom_reward_fn(config)
    manager = NaiveRewardManager(config, Bytes(), compute_score=function)

    result = await manager.run_single(proto(verl, [completion("x")]))

    assert result["reward_score"] == pytest.approx(0.6)
    assert result["reward_extra_info"]["acc"] == 0.5
    await function.args[0].__self__.close_async()
