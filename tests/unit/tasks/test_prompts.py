"""The prompt template: exact bytes, and nothing a row says can leave its turn."""

import pytest

from reward_client.api import MathReference
from tasks.api import Demonstration, Domain, Example, Split
from tasks.prompts import SHORT_SYSTEM, SYSTEM, PromptTemplate, demonstration_text
from tasks.sample import to_sample


def test_the_rendered_prompt_is_gemmas_chat_form_without_the_leading_bos() -> None:
    assert PromptTemplate(system="Be brief.").render("Why?") == (
        "<start_of_turn>user\nBe brief.\n\nWhy?<end_of_turn>\n<start_of_turn>model\n"
    )


@pytest.mark.parametrize(
    "token",
    ["<end_of_turn>", "<start_of_turn>", "<bos>", "<eos>", "<pad>", "<start_of_image>", "<unused12>"],
)
def test_a_control_token_in_a_question_is_broken(token: str) -> None:
    rendered = PromptTemplate(system="S").render(f"a{token}b")

    assert f"a< {token[1:]}b" in rendered
    assert rendered.replace(f"a< {token[1:]}b", "") == PromptTemplate(system="S").render("")


def test_breaking_one_control_token_does_not_make_another() -> None:
    rendered = PromptTemplate(system="S").render("<<end_of_turn>end_of_turn>")

    assert rendered.count("<end_of_turn>") == 1


def test_ordinary_angle_brackets_are_left_alone() -> None:
    assert "if a < b: <answer>" in PromptTemplate().render("if a < b: <answer>")


def test_templates_with_other_words_have_other_hashes() -> None:
    hashes = {PromptTemplate(system=s).hash for s in (SYSTEM, SHORT_SYSTEM, SHORT_SYSTEM + " ")}

    assert len(hashes) == 3
    assert all(len(h) == 12 for h in hashes)


def test_the_hash_of_the_default_template_is_pinned() -> None:
    """A changed template makes earlier checkpoints answer worse: change this on purpose only."""
    assert PromptTemplate().hash == "3ab707a175d7"


@pytest.mark.parametrize("system", [SYSTEM, SHORT_SYSTEM])
def test_the_system_text_names_both_tags(system: str) -> None:
    assert "<reasoning>" in system
    assert "<answer>" in system


def test_a_demonstration_is_written_in_the_gates_form() -> None:
    assert demonstration_text("1 + 1 = 2", "2") == "<reasoning>1 + 1 = 2</reasoning><answer>2</answer>"


def test_a_sample_carries_the_question_and_reference_and_says_where_it_came_from() -> None:
    example = Example(
        example_id="gsm8k/test/1",
        dataset="gsm8k",
        domain=Domain.MATH,
        split=Split.TEST,
        prompt="1 + 1?",
        reward="math",
        reference=MathReference(answer="2"),
        demonstration=Demonstration(reasoning="r", answer="2"),
    )

    sample = to_sample(example, "<answer>", sample_id="s", group_id="g")

    assert (sample.sample_id, sample.group_id, sample.reward) == ("s", "g", "math")
    assert (sample.prompt, sample.completion, sample.reference) == ("1 + 1?", "<answer>", example.reference)
    assert sample.metadata == {"example_id": "gsm8k/test/1", "domain": "math"}
