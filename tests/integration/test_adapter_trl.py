"""TRL's own GRPOTrainer, on a tiny model made here, rewarded by a live server."""

import importlib.util
import math
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from reward_client.adapters.task import Task
from reward_client.adapters.trl import AsyncTrlReward, TooManyFailuresError, TrlReward
from reward_client.api import MathReference, RewardUnavailableError
from reward_client.client import AsyncRewardClient, RewardClient
from reward_server.api import Grade, Verdict
from reward_server.errors import GraderTimeoutError
from tests.conftest import missing
from tests.fake_rewards import Inline, completion
from tests.live import live

# TRL and what is under it warn at import and at every step; none of it is ours to mend.
pytestmark = [pytest.mark.filterwarnings("ignore"), pytest.mark.timeout(240)]

GROUP = 4
PROMPT = "what is 2 + 2"
ANSWERS = ("right", "wrong", "half", "broken")
# The server's weights: 0.2 for the form, 0.8 for the answer.
RIGHT, WRONG, HALF = 1.0, 0.2, 0.6


def judge(answer: str) -> Grade:
    """Grade by the word in the answer; one word is a grader of ours that fails."""
    if answer == "broken":
        raise GraderTimeoutError("the grader ran out of its budget")
    value = {"right": 1.0, "half": 0.5}.get(answer, 0.0)
    return Grade(value=value, verdict=Verdict.PARTIAL, explanation=f"the answer is {answer!r}")


def task(row: Mapping[str, Any]) -> Task:
    return Task(reward="inline", reference=MathReference(answer=row["answer"]))


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with live(Inline(judge)) as address:
        yield address


@pytest.fixture
def client(address: str) -> Iterator[RewardClient]:
    with RewardClient(address) as client:
        yield client


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    """A byte-level tokenizer without merges: any text goes through it unchanged."""
    if importlib.util.find_spec("trl") is None:
        missing("TRL is not installed: make interop")
    os.environ.setdefault("TRL_EXPERIMENTAL_SILENCE", "1")
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {letter: index for index, letter in enumerate([*letters, "<pad>", "<eos>"])}
    bytes_only = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    bytes_only.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bytes_only.decoder = decoders.ByteLevel()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=bytes_only, pad_token="<pad>", eos_token="<eos>")
    tokenizer.chat_template = "{% for m in messages %}{{ m['role'] }}: {{ m['content'] }}\n{% endfor %}"
    return tokenizer


@pytest.fixture
def train(tokenizer: Any, tmp_path: Path) -> Callable[..., Any]:
    """Run `GRPOTrainer` and return it; `completions` replace what the model would say."""
    from datasets import Dataset
    from transformers import Qwen2Config, Qwen2ForCausalLM
    from trl import GRPOConfig, GRPOTrainer

    def run(
        reward_funcs: Any,
        *,
        completions: Sequence[str] | None = None,
        prompt: Any = PROMPT,
        steps: int = 1,
        **settings: Any,
    ) -> Any:
        config = Qwen2Config(
            vocab_size=len(tokenizer),
            hidden_size=16,
            intermediate_size=16,
            num_hidden_layers=1,
            num_attention_heads=2,
            num_key_value_heads=2,
            pad_token_id=tokenizer.pad_token_id,
            eos_token_id=tokenizer.eos_token_id,
        )
        trainer = GRPOTrainer(
            model=Qwen2ForCausalLM(config),
            reward_funcs=reward_funcs,
            args=GRPOConfig(
                output_dir=str(tmp_path),
                max_steps=steps,
                per_device_train_batch_size=GROUP,
                num_generations=GROUP,
                max_completion_length=16,
                logging_steps=1,
                report_to=[],
                use_cpu=True,
                bf16=False,
                save_strategy="no",
                disable_tqdm=True,
                **settings,
            ),
            train_dataset=Dataset.from_list([{"prompt": prompt, "answer": "4"}] * 8),
            processing_class=tokenizer,
            rollout_func=None if completions is None else scripted(tokenizer, completions),
        )
        trainer.train()
        return trainer

    return run


def scripted(tokenizer: Any, completions: Sequence[str]) -> Callable[[list[Any], Any], dict[str, Any]]:
    def rollout(prompts: list[Any], trainer: Any) -> dict[str, Any]:
        ids = [tokenizer(text)["input_ids"] for text in completions]
        return {
            "prompt_ids": [tokenizer(PROMPT)["input_ids"] for _ in prompts],
            "completion_ids": ids,
            "logprobs": [[0.0] * len(each) for each in ids],
        }

    return rollout


def group() -> list[str]:
    return [completion(answer) for answer in ANSWERS]


def advantages(trainer: Any) -> list[float]:
    """The last group's."""
    return list(trainer._logs["advantages"])


def logged(trainer: Any, name: str) -> list[float]:
    return list(trainer._logs["rewards"][name])


def test_a_model_trains_two_steps_on_rewards_of_the_service(
    train: Callable[..., Any], client: RewardClient
) -> None:
    trainer = train(TrlReward(client, task), steps=2)

    assert trainer.state.global_step == 2
    assert logged(trainer, "assay") == [0.0] * GROUP, "noise has no valid form: a true zero"


def test_the_async_form_trains_two_steps_too(train: Callable[..., Any], address: str) -> None:
    reward = AsyncTrlReward(lambda: AsyncRewardClient(address), task)
    trainer = train(reward, steps=2, completions=group())

    assert trainer.state.global_step == 2
    assert logged(trainer, "assay")[:3] == pytest.approx([RIGHT, WRONG, HALF])
    assert math.isnan(logged(trainer, "assay")[3])


def test_a_failure_is_left_out_of_the_baseline_and_its_advantage_is_zero(
    train: Callable[..., Any], client: RewardClient
) -> None:
    trainer = train(TrlReward(client, task), completions=group(), scale_rewards="none")

    # Mean of the three scores alone: 0.6. With a zero for the failure it would be 0.45.
    assert advantages(trainer) == pytest.approx([RIGHT - 0.6, WRONG - 0.6, HALF - 0.6, 0.0])


def test_advantages_are_those_of_the_group_without_the_failed_sample(
    train: Callable[..., Any], client: RewardClient
) -> None:
    trainer = train(TrlReward(client, task), completions=group())

    # The sample deviation of 1.0, 0.2 and 0.6 is 0.4; TRL adds 1e-4 to it.
    expected = [value / 0.4001 for value in (0.4, -0.4, 0.0)]
    assert advantages(trainer) == pytest.approx([*expected, 0.0], abs=1e-5)


def test_a_group_of_a_single_score_teaches_nothing(train: Callable[..., Any], client: RewardClient) -> None:
    lone = [completion("right"), *[completion("broken")] * 3]
    trainer = train(TrlReward(client, task, max_failed_share=1.0), completions=lone)

    assert advantages(trainer) == [0.0] * GROUP


def test_components_verdicts_and_the_share_of_failures_are_in_trls_log(
    train: Callable[..., Any], client: RewardClient
) -> None:
    trainer = train(TrlReward(client, task), completions=group())

    (entry,) = [each for each in trainer.state.log_history if "assay/failed" in each]
    assert entry["assay/failed"] == pytest.approx(0.25)
    assert entry["assay/correctness"] == pytest.approx(0.5)
    assert trainer._logs["extra"]["assay_verdict"][-1] == "failure GRADER_TIMEOUT"


def test_too_many_failures_stop_the_run(train: Callable[..., Any], client: RewardClient) -> None:
    mostly_broken = [completion("right"), *[completion("broken")] * 3]

    with pytest.raises(TooManyFailuresError, match="3 of 4 samples have no score"):
        train(TrlReward(client, task), completions=mostly_broken)


def test_an_unreachable_server_stops_the_run(train: Callable[..., Any]) -> None:
    with (
        RewardClient("127.0.0.1:1", on_retry=lambda _: None) as nobody,
        pytest.raises(RewardUnavailableError),
    ):
        train(TrlReward(nobody, task, timeout_s=1.0), completions=group())


def test_conversations_send_the_last_question_and_the_assistants_text(
    train: Callable[..., Any], client: RewardClient
) -> None:
    prompt = [{"role": "system", "content": "be brief"}, {"role": "user", "content": PROMPT}]
    trainer = train(TrlReward(client, task), completions=group(), prompt=prompt)

    assert logged(trainer, "assay")[:3] == pytest.approx([RIGHT, WRONG, HALF])


def second(completions: Sequence[Any], **_: Any) -> list[float]:
    return [1.0] * len(completions)


def test_beside_a_second_reward_trl_counts_a_failure_as_zero_in_the_sum(
    train: Callable[..., Any], client: RewardClient
) -> None:
    """Why docs/other-trainers.md asks for the other aggregation there; mends itself when TRL does."""
    reward = TrlReward(client, task)
    trainer = train([reward, second], completions=group(), scale_rewards="none")

    mean = (RIGHT + WRONG + HALF + 0.0) / 4
    assert advantages(trainer)[-1] == pytest.approx(0.0 - mean)


def test_beside_a_second_reward_a_failure_is_neutral_when_rewards_are_normalized_first(
    train: Callable[..., Any], client: RewardClient
) -> None:
    reward = TrlReward(client, task)
    trainer = train([reward, second], completions=group(), multi_objective_aggregation="normalize_then_sum")

    assert advantages(trainer)[-1] == pytest.approx(0.0, abs=1e-6)
