"""What a run sees: training rows only in training, and a teacher that errs as often as it says."""

from dataclasses import replace
from pathlib import Path

import pytest

from policy.tokenizer import BOS_ID, PAD_ID, Tokenizer, train_tokenizer
from tasks.api import Domain, Split
from tasks.prompts import SHORT_SYSTEM, PromptTemplate
from trainer.config import ConfigurationError, TrainConfig, WarmStartOptions, parse
from trainer.preparing.data import choose_rows, demonstrated, load_rows, mix, without_domain
from trainer.preparing.warm_start import NoisyTeacher, encode
from trainer.reporting.accounts import row_record

TEMPLATE = PromptTemplate(system=SHORT_SYSTEM)


@pytest.fixture(scope="module")
def config() -> TrainConfig:
    return parse(["--config", "tiny"])


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory, config: TrainConfig) -> Tokenizer:
    texts = [TEMPLATE.render(e.prompt) + demonstrated(e) for e in load_rows(config).examples]
    return train_tokenizer(texts, vocabulary=800, directory=tmp_path_factory.mktemp("tokenizer"))


def test_held_out_prompts_are_of_the_test_split_and_of_every_domain(config: TrainConfig) -> None:
    rows = choose_rows(load_rows(config), config, fits=lambda e: True)

    assert {example.domain for example in rows.held_out} == set(Domain)
    assert {example.split for example in rows.held_out} == {Split.TEST}
    assert {example.split for example in rows.train} == {Split.TRAIN}
    assert not {e.prompt for e in rows.train} & {e.prompt for e in rows.held_out}


def test_held_out_prompts_are_the_same_for_every_seed(config: TrainConfig) -> None:
    one, other = (
        choose_rows(load_rows(c), c, fits=lambda e: True).held_out for c in (config, replace(config, seed=9))
    )

    assert one == other


def test_rows_that_do_not_fit_are_dropped_and_counted(config: TrainConfig) -> None:
    loaded = load_rows(config)
    rows = choose_rows(loaded, config, fits=lambda e: e.domain is not Domain.CODE)

    assert rows.dropped["too long"] == sum(e.domain is Domain.CODE for e in loaded.examples)
    assert not any(e.domain is Domain.CODE for e in (*rows.train, *rows.held_out))


def test_a_training_row_that_repeats_a_held_out_one_is_left_out_and_named(config: TrainConfig) -> None:
    loaded = load_rows(config)
    held_out = choose_rows(loaded, config, fits=lambda e: True).held_out[0]
    copied = replace(held_out, example_id="copied/train/0", split=Split.TRAIN)
    rows = choose_rows(replace(loaded, examples=(*loaded.examples, copied)), config, fits=lambda e: True)

    told = row_record(rows)
    assert told["like_a_held_out_prompt"] == ["copied/train/0"]
    assert rows.dropped["like a held-out prompt"] == 1
    assert told["held_out"] == [example.example_id for example in rows.held_out]
    assert "copied/train/0" not in told["train"]  # type: ignore[operator]


def test_when_nothing_fits_the_error_names_the_limits(config: TrainConfig) -> None:
    with pytest.raises(ConfigurationError, match=r"max_prompt_tokens=72.*raise --model.max-prompt-tokens"):
        choose_rows(load_rows(config), config, fits=lambda e: False)


def test_every_embedded_row_fits_the_tiny_configuration(config: TrainConfig, tokenizer: Tokenizer) -> None:
    from trainer.preparing.base import fits

    assert all(fits(config, TEMPLATE, tokenizer, example) for example in load_rows(config).examples)


def test_a_domain_left_out_is_in_neither_side_nor_in_the_mix(config: TrainConfig) -> None:
    rows = without_domain(choose_rows(load_rows(config), config, fits=lambda e: True), Domain.CODE)

    assert not any(e.domain is Domain.CODE for e in (*rows.train, *rows.held_out, *mix(rows, config)))


def test_the_teacher_errs_as_often_as_it_says_and_the_same_way_each_time(config: TrainConfig) -> None:
    examples = choose_rows(load_rows(config), config, fits=lambda e: True).train
    options = WarmStartOptions(steps=1, p_correct=0.7, p_well_formed=0.6)
    teacher = NoisyTeacher(examples, options, seed=3)
    drawn = [teacher.draw(number) for number in range(2000)]

    well_formed = [
        all(text.count(tag) == 1 for tag in ("<reasoning>", "</reasoning>", "<answer>", "</answer>"))
        for _, text in drawn
    ]
    right = [text == demonstrated(e) for (e, text), whole in zip(drawn, well_formed, strict=True) if whole]
    assert sum(well_formed) / 2000 == pytest.approx(0.6, abs=0.04)
    # Another row's answer may happen to be the same.
    assert 0.66 < sum(right) / len(right) < 0.8
    assert drawn[:20] == [NoisyTeacher(examples, options, seed=3).draw(number) for number in range(20)]


def test_only_the_reply_and_its_stop_mark_are_targets(tokenizer: Tokenizer) -> None:
    prompt, reply = TEMPLATE.render("is 3 more than 2?"), "<answer>yes</answer>"
    batch = encode([(prompt, reply)], tokenizer, length=64)

    start = 1 + len(tokenizer.encode(prompt))
    wanted = [*tokenizer.encode(reply), tokenizer.stop_ids[1]]
    assert batch.tokens[0, 0] == BOS_ID
    assert batch.tokens[0][batch.targets[0] == 1].tolist() == wanted
    assert batch.targets[0].nonzero()[0][0] == start
    assert (batch.tokens[0, start + len(wanted) :] == PAD_ID).all()


def test_a_directory_of_real_rows_is_read_instead_of_the_samples(data_dir: Path) -> None:
    config = parse(["--config", "tiny", "--data-dir", str(data_dir)])

    datasets = {example.dataset for example in load_rows(config).examples}
    assert {"gsm8k", "mbpp", "arc_challenge", "strategyqa"} <= datasets
