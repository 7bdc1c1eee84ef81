"""Weights & Biases' real package, offline: what a run's curves and text become there.

What needs its service, going on with a run that it holds, is asked of a stand-in of the few
calls that are made.
"""

import importlib.machinery
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.integration.wandb_files import history
from tests.unit.trainer_views.synthetic_runs import domain_result, step_records
from trainer.config import ConfigurationError, parse
from trainer.run_files.records import RolloutRecord
from trainer.run_files.run_directory import RunDirectory
from trainer.tracking import weights_and_biases
from trainer.tracking.api import open_trackers
from trainer.tracking.weights_and_biases import WeightsAndBiases

CONFIG = parse(["--tracking.wandb", "project", "--tracking.no-tensorboard", "--data-dir", "rows"])
ROLLOUT = RolloutRecord(
    step=1,
    sample_id="0-0",
    group_id="0",
    example_id="gsm8k/train/0",
    domain="math",
    reward="math",
    prompt="1 + 1?",
    completion="<answer>2</answer>",
    tokens=3,
    truncated=False,
    score=1.0,
    components={},
    verdict="CORRECT",
    failure="",
    explanation="because",
    reward_version="1.0.0",
    advantage=0.5,
    in_loss=True,
)


class Service:
    """What is asked of `wandb`, with a run that it may know already."""

    def __init__(self, *, step: int = 0, summary: Mapping[str, Any] | None = None) -> None:
        self.logged: list[tuple[int, dict[str, Any]]] = []
        self.begun: dict[str, Any] = {}
        self._step, self._summary = step, summary or {}

    class Error(Exception):
        """As the package's."""

    Settings = SimpleNamespace
    Table = SimpleNamespace

    def init(self, **values: Any) -> Any:
        self.begun = values
        return SimpleNamespace(
            step=self._step,
            summary=self._summary,
            define_metric=lambda *_, **__: None,
            log=lambda values, step: self.logged.append((step, values)),
            finish=lambda: None,
        )


def stand_in(monkeypatch: pytest.MonkeyPatch, service: Service) -> Service:
    monkeypatch.setattr(weights_and_biases.importlib, "import_module", lambda name: service)
    return service


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    wandb = pytest.importorskip("wandb", reason="not installed: make interop")
    for name, value in {
        "WANDB_MODE": "offline",
        "WANDB_SILENT": "true",
        "WANDB_CACHE_DIR": str(tmp_path / "cache"),
        "WANDB_DATA_DIR": str(tmp_path / "data"),
        "WANDB_CONFIG_DIR": str(tmp_path / "config"),
    }.items():
        monkeypatch.setenv(name, value)
    yield
    wandb.teardown()  # it reads its settings once a process


@pytest.mark.usefixtures("offline")
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")
def test_the_real_package_keeps_every_step_evaluation_and_text(tmp_path: Path) -> None:
    import wandb

    run, records = RunDirectory(tmp_path / "run"), step_records(4)
    with open_trackers(CONFIG, run) as trackers:
        trackers.evaluation(0, {"all": domain_result(0.25, 0.2)})
        for record in records:
            trackers.step(record, {"speed/mfu": 0.5})
            if record.step == 1:
                trackers.rollouts(1, [ROLLOUT])
            if record.step == 3:
                trackers.evaluation(2, {"all": domain_result(0.5, 0.4)})

    wandb.teardown()  # its service writes the file, and ends with the process
    rows = {row["step"]: row for row in history(run.path)}
    assert [rows[record.step]["reward/all"] for record in records] == pytest.approx(
        [record.reward for record in records]
    )
    assert {rows[step]["speed/mfu"] for step in range(1, 5)} == {0.5}
    assert rows[1]["rollouts._type"] == "table-file"
    table = next((run.path / "wandb").glob("offline-run-*/files/media/table/*.json")).read_text()
    assert all(text in table for text in ("gsm8k/train/0", "1 + 1?", "<answer>2</answer>", "CORRECT"))
    evaluated = [
        (row["held_out_step"], row["held_out_reward/all"]) for row in rows.values() if "held_out_step" in row
    ]
    assert evaluated == [(0, 0.25), (2, 0.5)]


def test_a_run_is_known_by_its_directory_and_carries_its_configuration(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    service = stand_in(monkeypatch, Service())
    with open_trackers(CONFIG, RunDirectory(tmp_path / "20300101-000000-tiny-s0")):
        pass

    names = ("project", "id", "name", "resume")
    assert [service.begun[name] for name in names] == ["project", *["20300101-000000-tiny-s0"] * 2, "allow"]
    assert service.begun["config"]["grpo"]["beta"] == CONFIG.grpo.beta


def test_a_run_that_goes_on_repeats_no_step_and_no_evaluation(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The service holds three steps, and asks for the fourth."""
    service = stand_in(monkeypatch, Service(step=4, summary={"held_out_step": 2}))
    tracker = WeightsAndBiases("project", tmp_path, about={})
    for step in (0, 2):
        tracker.evaluation(step, {"all": domain_result(0.25, 0.2)})
    for record in step_records(5):
        tracker.step(record, {})
    tracker.rollouts(5, [ROLLOUT])
    tracker.evaluation(4, {"all": domain_result(0.5, 0.4)})

    assert [(step, sorted(values)[0].split("/")[0]) for step, values in service.logged] == [
        (4, "correctness"),
        (5, "correctness"),
        (5, "rollouts"),
        (5, "held_out_correctness"),
    ]


def test_a_process_killed_ahead_of_its_checkpoint_leaves_points_that_are_not_drawn_twice(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    service = stand_in(monkeypatch, Service(step=4))
    tracker = WeightsAndBiases("project", tmp_path, about={})
    for record in step_records(2):  # the checkpoint is of step 2
        tracker.step(record, {})
    for record in step_records(6)[2:]:
        tracker.step(record, {})

    assert [step for step, _ in service.logged] == [4, 5, 6]


def test_what_the_package_refuses_is_a_sentence_with_the_way_out(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    class Strict(Service):
        def init(self, **values: Any) -> Any:
            raise self.Error("No API key configured")

    stand_in(monkeypatch, Strict())

    with pytest.raises(ConfigurationError, match=r"'project': No API key configured; or set WANDB_MODE"):
        WeightsAndBiases("project", tmp_path, about={})


@pytest.mark.usefixtures("offline")
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")
def test_the_real_packages_refusal_is_the_same_sentence(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("WANDB_MODE", "online")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("WANDB_API_KEY", raising=False)

    with pytest.raises(ConfigurationError, match="WANDB_MODE=offline"):
        WeightsAndBiases("project", tmp_path, about={})


@pytest.mark.parametrize(
    "spec", [None, importlib.machinery.ModuleSpec("wandb", None, is_package=True)], ids=["none", "a folder"]
)
def test_without_the_package_a_run_ends_before_it_does_anything(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, spec: Any
) -> None:
    """A folder called `wandb`, as the package itself makes where it is run, is no package."""
    from trainer.reporting.progress import Progress
    from trainer.tracking import api
    from trainer.train import train

    find = importlib.util.find_spec
    monkeypatch.setattr(api.importlib.util, "find_spec", lambda name: spec if name == "wandb" else find(name))
    unused: Any = None

    with pytest.raises(ConfigurationError, match=r"tracking\.wandb='project'.*pip install wandb"):
        train(
            replace(CONFIG, data_dir=None),
            run=RunDirectory(tmp_path / "run"),
            scorer=unused,
            progress=Progress(),
        )

    assert list((tmp_path / "run").iterdir()) == []
