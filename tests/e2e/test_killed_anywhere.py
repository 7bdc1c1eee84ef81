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
    # Not of step 4: it goes to disk beside the run, and may have been whole before the kill above.
    r"os\.rename checkpoints/actor/6\.[^/]*/optimizer_state",  # half a checkpoint
    r"open checkpoints/actor/6\.[^/]*/commit_success",  # all of it but its mark
    r"open lora/adapter_config\.json",
    r"os\.rename evals/after\.json\.part",
    r"os\.rename summary\.json\.part",
)


WHOLE = ""


def train(directory: Path, *writes: str) -> None:
    """One process for each of `writes`, killed before it."""
    environment = os.environ | {
        "JAX_PLATFORMS": "cpu",
        "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "proto")]),
    }
    command = [sys.executable, killed_run.__file__, str(directory), *writes]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    said = f"{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    assert done.returncode == 0, said
    statuses = json.loads(done.stdout.splitlines()[-1])
    assert statuses == [-signal.SIGKILL if write else 0 for write in writes], said


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


@pytest.fixture(scope="module")
def workplace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One directory for all runs, so that programs are compiled once."""
    return tmp_path_factory.mktemp("killed")


def test_a_run_killed_before_every_kind_of_write_ends_as_an_unbroken_one(workplace: Path) -> None:
    whole, broken = workplace / "whole", workplace / "broken"
    train(whole, WHOLE)

    train(broken, *WRITES)
    assert not (broken / "summary.json").exists()
    train(broken, WHOLE)

    found, expected = outcome(broken), outcome(whole)
    for name, value in expected.items():
        assert found[name] == value, name
    assert not list(broken.rglob("*.part"))
    assert not list(broken.rglob("*orbax-checkpoint-tmp*"))


def test_a_step_whose_checkpoint_is_whole_has_its_record(workplace: Path) -> None:
    """A checkpoint goes to disk beside the run: it must not be begun before the step is written."""
    run = workplace / "run"
    train(run, r"os\.mkdir checkpoints/actor/2\.")

    assert [record.step for record in RunDirectory(run).read_steps()] == [1, 2]
    shutil.rmtree(run)
