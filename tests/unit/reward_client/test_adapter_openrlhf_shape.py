"""OpenRLHF's request and answer, without a network."""

import json

import pytest

from reward_client.adapters.openrlhf import completion_of, read_request, write_response
from reward_client.api import MathReference, RewardRequestError, Score

PROMPT = (
    "<|im_start|>user\nwhat is 2 + 2, and please take your time over it?<|im_end|>\n<|im_start|>assistant\n"
)


def body(**changes: object) -> bytes:
    return json.dumps({"query": [PROMPT + "4"], "prompts": [PROMPT], "labels": ["4"], **changes}).encode()


def test_the_completion_is_what_follows_the_prompt() -> None:
    assert completion_of(PROMPT + "4", PROMPT, []) == "4"


def test_an_end_of_turn_token_is_no_part_of_the_completion() -> None:
    assert completion_of(PROMPT + "4<|im_end|>", PROMPT, ["</s>", "<|im_end|>"]) == "4"


@pytest.mark.parametrize("cut", [1, 20, len(PROMPT) - 40])
def test_a_prompt_that_was_truncated_on_the_left_is_found(cut: int) -> None:
    assert completion_of(PROMPT[cut:] + "4", PROMPT, []) == "4"


def test_a_completion_that_repeats_the_prompt_keeps_the_repetition() -> None:
    assert completion_of(PROMPT + PROMPT, PROMPT, []) == PROMPT


def test_a_query_that_does_not_hold_its_prompt_is_refused() -> None:
    with pytest.raises(RewardRequestError, match="does not begin with its prompt"):
        completion_of("another text altogether, and a long one", PROMPT, [])


def test_a_request_becomes_samples() -> None:
    (sample,) = read_request(body(), reward="math", stops=[])

    assert (sample.reward, sample.completion, sample.prompt) == ("math", "4", PROMPT)
    assert sample.reference == MathReference(answer="4")


def test_the_empty_lists_that_all_but_one_url_get_are_no_samples() -> None:
    assert read_request(b'{"query": [], "prompts": [], "labels": []}', reward=None, stops=[]) == []
    assert write_response([]) == {"rewards": [], "scores": [], "extra_logs": {}}


@pytest.mark.parametrize(
    ("request_body", "reason"),
    [
        (b"\xff", "no JSON"),
        (b"[]", "query: give a list of texts"),
        (b'{"query": ["a"]}', "prompts: give a list of texts"),
        (body(labels=[4]), "labels: give a list of texts"),
        (body(labels=["4", "5"]), r"have \[1, 1, 2\] entries"),
        (body(labels=[None]), "labels: give a list of texts"),
    ],
)
def test_what_cannot_be_read_is_refused_by_field(request_body: bytes, reason: str) -> None:
    with pytest.raises(RewardRequestError, match=reason):
        read_request(request_body, reward="math", stops=[])


def test_only_components_that_all_samples_have_are_logged() -> None:
    def score(**components: float) -> Score:
        return Score(value=1.0, components=components, verdict="CORRECT", explanation="")

    answer = write_response([score(format=1.0, correctness=0.5), score(format=0.0, quality=0.5)])

    assert answer == {"rewards": [1.0, 1.0], "scores": [1.0, 1.0], "extra_logs": {"format": [1.0, 0.0]}}
