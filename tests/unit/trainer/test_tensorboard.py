"""The event files of real tiny runs, read back by TensorBoard's own reader."""

import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from reward_client.api import RewardUnavailableError
from tests.unit.trainer.event_files import scalars, texts
from tests.unit.trainer.loops import LengthScorer, grpo_only
from trainer.config import TrainConfig
from trainer.evaluation.held_out import AFTER, BEFORE, read_curve
from trainer.run_files.run_directory import RunDirectory
from trainer.tracking.tensorboard import TensorBoard

pytestmark = [
    pytest.mark.filterwarnings("ignore:.with mesh..:DeprecationWarning"),
    pytest.mark.usefixtures("compiled_once"),
]

DOMAINS = ("math", "code", "science", "logic", "writing", "ideation", "summary")
OF_STEPS = {
    "reward/all", "format/all", "correctness/all", "length/all",
    "verdicts/PARTIAL", "ungraded/share",
    "groups/variance_share", "groups/drawn", "groups/few_scores",
    "policy/kl", "policy/entropy", "policy/clip_share", "policy/loss", "policy/grad_norm",
    "policy/learning_rate", "truncated/share", "padding/prompts", "padding/completions",
    "speed/tokens_per_s", "speed/reward_wait_share",
    "seconds/step", "seconds/sample", "seconds/reference", "seconds/rewards", "seconds/update",
}  # fmt: skip


@pytest.fixture(scope="module")
def evaluating(small: TrainConfig) -> TrainConfig:
    return replace(small, evals=replace(small.evals, every=2))


@pytest.fixture(scope="module")
def whole(evaluating: TrainConfig, finished: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of six steps without interruption, evaluated behind the second and the fourth."""
    path = tmp_path_factory.mktemp("tracked") / "run"
    grpo_only(evaluating, finished, path, LengthScorer())
    return path


def of_steps(curves: Mapping[str, list[tuple[int, float]]]) -> Mapping[str, list[tuple[int, float]]]:
    return {name: points for name, points in curves.items() if not name.startswith("held_out")}


def timeless(curves: Mapping[str, list[tuple[int, float]]]) -> Mapping[str, list[tuple[int, float]]]:
    return {name: at for name, at in curves.items() if not name.startswith(("seconds/", "speed/"))}


def test_every_curve_is_there_with_a_point_a_step(whole: Path) -> None:
    curves = scalars(whole)

    assert curves.keys() >= OF_STEPS
    for name in OF_STEPS:
        assert [step for step, _ in curves[name]] == [1, 2, 3, 4, 5, 6], name
    asked = {name for record in RunDirectory(whole).read_steps() for name in record.reward_by_domain}
    for name in asked:
        for kind in ("reward", "format", "correctness", "length", "truncated"):
            assert f"{kind}/{name}" in curves


def test_points_are_the_numbers_of_the_records(whole: Path) -> None:
    curves, records = scalars(whole), RunDirectory(whole).read_steps()

    def values(name: str) -> list[float]:
        return [value for _, value in curves[name]]

    assert values("reward/all") == pytest.approx([record.reward for record in records])
    assert values("policy/kl") == pytest.approx([record.kl for record in records])
    assert values("verdicts/PARTIAL") == [record.verdicts["PARTIAL"] for record in records]
    assert values("groups/variance_share") == pytest.approx(
        [1 - record.zero_variance_share for record in records]
    )
    assert values("seconds/sample") == pytest.approx([record.seconds["sample"] for record in records])
    assert values("speed/tokens_per_s") == pytest.approx(
        [record.completion_tokens / record.step_s for record in records]
    )
    for domain in DOMAINS:
        assert curves.get(f"reward/{domain}", []) == [
            (record.step, pytest.approx(record.reward_by_domain[domain]))
            for record in records
            if domain in record.reward_by_domain
        ]


def test_a_processor_without_a_known_peak_has_no_utilisation(whole: Path) -> None:
    assert "speed/mfu" not in scalars(whole)


def test_what_a_record_does_not_hold_is_drawn_beside_it(whole: Path, tmp_path: Path) -> None:
    board = TensorBoard(tmp_path / "tensorboard", elapsed_s=0.0)
    board.step(RunDirectory(whole).read_steps()[0], {"speed/mfu": 0.25})
    board.close()

    assert scalars(tmp_path)["speed/mfu"] == [(1, 0.25)]


def test_evaluations_stand_at_the_step_whose_weights_they_judge(whole: Path) -> None:
    curves, points = scalars(whole), read_curve(whole, steps=6)

    assert [point.step for point in points] == [0, 2, 4, 6]
    for domain in (*DOMAINS, "all"):
        assert curves[f"held_out_reward/{domain}"] == [
            (point.step, pytest.approx(point.results[domain].reward)) for point in points
        ]
        assert f"held_out_greedy_correctness/{domain}" in curves


def test_a_few_completions_are_there_as_text_with_their_verdicts(whole: Path) -> None:
    found = texts(whole)

    assert sorted(found) == [f"rollouts/{number}" for number in range(1, 5)]
    kept = RunDirectory(whole).keep_texts(6)
    for rollout, (step, text) in zip(kept, (at for name in sorted(found) for at in found[name]), strict=True):
        assert (step, rollout.step) == (1, 1)
        assert f"**{rollout.domain}** {rollout.example_id}: score {rollout.score:.3f}, PARTIAL" in text


def test_a_run_that_went_on_has_each_point_once_and_the_numbers_of_an_unbroken_one(
    evaluating: TrainConfig, finished: Path, whole: Path, tmp_path: Path
) -> None:
    path, broken = tmp_path / "run", LengthScorer()
    # Calls: the probe, a step each, and two for the evaluation behind the second step.
    broken.fail_call = 1 + 4 + 2
    with pytest.raises(RewardUnavailableError):
        grpo_only(evaluating, finished, path, broken)
    grpo_only(evaluating, finished, path, LengthScorer())

    assert len(list((path / "tensorboard").iterdir())) == 1
    assert timeless(scalars(path)) == timeless(scalars(whole))
    assert {name: at[0] for name, points in of_steps(scalars(path)).items() for at in points} == {
        name: at[0] for name, points in of_steps(scalars(whole)).items() for at in points
    }
    assert texts(path) == texts(whole)


def test_a_process_that_was_ahead_of_its_checkpoint_or_killed_while_writing_leaves_nothing_behind(
    evaluating: TrainConfig, finished: Path, whole: Path, tmp_path: Path
) -> None:
    path = tmp_path / "run"
    broken = LengthScorer()
    broken.fail_call = 1 + 4 + 2
    with pytest.raises(RewardUnavailableError):
        grpo_only(evaluating, finished, path, broken)
    # As a killed process leaves it: the last checkpoint is older than the last step, and a file is torn.
    newest = max((path / "checkpoints" / "actor").iterdir(), key=lambda each: int(each.name))
    shutil.rmtree(newest)
    events = next((path / "tensorboard").iterdir())
    events.write_bytes(events.read_bytes()[:-7])
    grpo_only(evaluating, finished, path, LengthScorer())

    assert timeless(scalars(path)) == timeless(scalars(whole))


def test_without_tensorboard_there_is_no_file_of_it(
    small: TrainConfig, finished: Path, tmp_path: Path
) -> None:
    path = tmp_path / "run"
    grpo_only(
        replace(small, steps=1, tracking=replace(small.tracking, tensorboard=False)),
        finished,
        path,
        LengthScorer(),
    )

    assert not (path / "tensorboard").exists()


def test_the_evaluations_before_and_after_stand_at_both_ends(finished: Path) -> None:
    assert {BEFORE, AFTER} <= {path.stem for path in (finished / "evals").glob("*.json")}
    assert [step for step, _ in scalars(finished)["held_out_reward/all"]] == [0, 1]
