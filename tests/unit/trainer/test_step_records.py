"""What a step's record says, from a step whose numbers are known."""

import json
import math
from types import SimpleNamespace

import numpy as np
import pytest

from policy.sampling import Completion
from reward_client.api import Failure, MathReference, Outcome, Score
from tasks.api import Demonstration, Domain, Example, Split
from trainer.config import parse
from trainer.experience.disco import Disco
from trainer.experience.draws import Draw
from trainer.experience.groups import GradedGroup, Group, learn
from trainer.grpo.learner import StepResult
from trainer.options import GrpoOptions
from trainer.reporting.steps import rollout_records, step_record
from trainer.run_files.records import step_from_json, to_json


def graded(position: int, domain: Domain, scores: list[float | None]) -> GradedGroup:
    example = Example(
        example_id=f"rows/train/{position}",
        dataset="rows",
        domain=domain,
        split=Split.TRAIN,
        prompt="how many?",
        reward="math",
        reference=MathReference(answer="1"),
        demonstration=Demonstration(reasoning="r", answer="1"),
    )
    outcomes = [
        Outcome(
            sample_id=f"{position}-{number}",
            result=Failure(kind="GRADER", message="broke")
            if value is None
            else Score(
                value=value,
                components={"format": 1.0, "correctness": value},
                verdict="CORRECT" if value else "INCORRECT",
                explanation="because",
            ),
            reward_version="1.0.0",
            cached=False,
            queue_ms=0.0,
            grade_ms=0.0,
        )
        for number, value in enumerate(scores)
    ]
    completions = tuple(
        Completion(text=f"text {number}<end_of_turn>", tokens=(5,) * (number + 1), truncated=number == 1)
        for number in range(len(scores))
    )
    group = Group(
        draw=Draw(position=position, example=example),
        prompt_tokens=np.zeros(3, np.int32),
        completions=completions,
    )
    return GradedGroup(group=group, outcomes=tuple(outcomes))


def result() -> StepResult:
    options = GrpoOptions(group_size=2, zero_variance="mask", mask_truncated=True)
    groups = [
        graded(8, Domain.MATH, [1.0, 0.0]),
        graded(9, Domain.MATH, [0.5, None]),
        graded(11, Domain.LOGIC, [0.0, 0.0]),
    ]
    passed_over = graded(10, Domain.CODE, [1.0, 1.0])
    batch = SimpleNamespace(asked=[*groups, passed_over], data_state={"places": {"next_index": 12}})
    return StepResult(
        step=3,
        loss=0.1,
        kl=math.nan,
        grad_norm=1.0,
        clip_share=0.0,
        entropy=0.5,
        seconds={"sample": 1.0, "reference": 0.5, "rewards": 0.25, "update": 2.0},
        learned=tuple(learn(group, options, Disco(mode="off", shares={})) for group in groups),
        batch=batch,  # type: ignore[arg-type]
    )


def test_a_record_counts_what_was_trained_on_and_what_was_drawn() -> None:
    config = parse(["--grpo.iterations", "2"])
    record = step_record(
        result(), config=config, prompt_hash="abc", learning_rate=1e-3, step_s=4.0, elapsed_s=9.0
    )

    assert record.reward_by_domain == {"logic": 0.0, "math": pytest.approx(0.5)}
    assert record.correctness_by_domain == {"logic": 0.0, "math": pytest.approx(0.5)}
    assert record.length_by_domain == {"logic": 1.5, "math": 1.5}
    assert record.truncated_by_domain == {"logic": 1, "math": 2}
    assert record.verdicts == {"CORRECT": 2, "INCORRECT": 3}
    assert record.failures == {"GRADER": 1}
    assert record.completions_in_loss == 1  # of the one group with variance, what was not truncated
    assert (record.groups_drawn, record.groups_without_variance, record.groups_few_scores) == (4, 3, 1)
    assert (record.data_position, record.updates, record.prompt_hash) == (12, 6, "abc")
    assert record.prompt_padding == 1.0
    assert record.completion_padding == 1 - record.completion_length / config.model.max_new_tokens
    assert (record.reward_wait_s, record.seconds["update"]) == (0.25, 2.0)


def test_a_record_reads_back_and_so_does_one_from_before_it_had_all_fields() -> None:
    record = step_record(
        result(), config=parse([]), prompt_hash="abc", learning_rate=1e-3, step_s=4.0, elapsed_s=9.0
    )
    line = to_json(record)
    values = json.loads(line)
    for later in ("prompt_hash", "verdicts", "seconds", "updates"):
        del values[later]

    assert to_json(step_from_json(line)) == line
    assert step_from_json(json.dumps(values)).verdicts == {}


def test_a_rollout_says_how_it_was_graded_and_learned_from() -> None:
    first, truncated, _, failed, *_ = rollout_records(result())

    assert (first.sample_id, first.group_id, first.completion) == ("8-0", "8", "text 0")
    assert (first.score, first.verdict, first.failure) == (1.0, "CORRECT", "")
    assert first.advantage == pytest.approx(0.7071, abs=1e-4)
    assert (first.in_loss, truncated.in_loss) == (True, False)
    assert math.isnan(failed.score)
    assert (failed.failure, failed.verdict, failed.advantage) == ("GRADER", "", 0.0)
