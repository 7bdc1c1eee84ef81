"""A run that is killed again and again, each time before another kind of write, ends as an unbroken one."""

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.e2e import killed_run
from tests.unit.trainer.event_files import scalars, texts
from tests.unit.trainer.loops import numbers
from trainer.evaluation.held_out import read_curve
from trainer.run_files.run_directory import RunDirectory

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(1800)]

ROOT = Path(__file__).resolve().parents[2]
# In the order in which a run comes to them; a write before which nothing was kept is made again.
WRITES = (
    r"os\.rename run\.json\.part",  # the data is chosen
    r"os\.rename warm_start/100\.",  # a checkpoint of the warm start, not yet whole
    r"open base/config\.json",  # the base, at its last step
    r"os\.rename evals/before\.json\.part",  # an evaluation that is graded
    r"open metrics\.jsonl$",  # a step that was trained and not yet written
    r"os\.rename checkpoints/actor/2\.[^/]* -> checkpoints/actor/2$",  # the first checkpoint
    r"os\.rename evals/sampled/step-000002\.json\.part",  # an evaluation while training
    r"os\.rename evals/step-000004\.json\.part",
    r"os\.rename checkpoints/actor/4\.[^/]*/optimizer_state",  # half a checkpoint
    r"open checkpoints/actor/6\.[^/]*/commit_success",  # the last one
    r"open lora/adapter_config\.json",
    r"os\.rename evals/after\.json\.part",
    r"os\.rename summary\.json\.part",
)


def train(directory: Path, *write: str) -> "subprocess.CompletedProcess[str]":
    environment = os.environ | {
        "JAX_PLATFORMS": "cpu",
        "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "proto")]),
    }
    command = [sys.executable, str(Path(killed_run.__file__)), str(directory), *write]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)


def outcome(run: Path) -> dict[str, Any]:
    """What must not depend on how often a run was interrupted."""
    summary = json.loads((run / "summary.json").read_text())
    return {
        "steps": [numbers(record) for record in RunDirectory(run).read_steps()],
        "evaluations": read_curve(run, steps=6),
        "curves": {
            name: points
            for name, points in scalars(run).items()
            if not name.startswith(("seconds/", "speed/"))
        },
        "texts": texts(run),
        "rollouts": sorted(path.name for path in (run / "rollouts").iterdir()),
        "adapters": (run / "lora" / "adapter_model.safetensors").read_bytes(),
        "base": (run / "base" / "model.safetensors").read_bytes(),
        "before and after": (summary["before"], summary["after"], summary["p_value"]),
    }


def test_a_run_killed_before_every_kind_of_write_ends_as_an_unbroken_one(tmp_path: Path) -> None:
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    done = train(whole)
    assert done.returncode == 0, done.stderr[-3000:]

    for write in WRITES:
        killed = train(broken, write)
        assert killed.returncode == -signal.SIGKILL, (write, killed.stdout[-2000:], killed.stderr[-2000:])
        assert not (broken / "summary.json").exists(), write
    last = train(broken)

    assert last.returncode == 0, last.stderr[-3000:]
    found, expected = outcome(broken), outcome(whole)
    for name, value in expected.items():
        assert found[name] == value, name
    assert not list(broken.rglob("*.part"))
    assert not list(broken.rglob("*orbax-checkpoint-tmp*"))


def test_a_step_whose_checkpoint_is_whole_has_its_record(tmp_path: Path) -> None:
    """A checkpoint goes to disk beside the run: it must not be begun before the step is written."""
    run = tmp_path / "run"
    killed = train(run, r"os\.mkdir checkpoints/actor/2\.")

    assert killed.returncode == -signal.SIGKILL, killed.stderr[-3000:]
    assert [record.step for record in RunDirectory(run).read_steps()] == [1, 2]
    shutil.rmtree(run)
