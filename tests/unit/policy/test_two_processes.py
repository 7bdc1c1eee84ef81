"""Two processes, as on two hosts, train one model to the numbers of one; the command starts only one."""

import contextlib
import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.unit.policy import short_training, two_processes

ROOT = Path(__file__).resolve().parents[3]
pytestmark = pytest.mark.timeout(400)
# As in `test_meshes`: the same sums in float32, in another order.
RELATIVE, ABSOLUTE = 1e-4, 1e-6


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where both left what they did."""
    directory = tmp_path_factory.mktemp("processes")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "proto")])}
    program = str(Path(two_processes.__file__))
    with contextlib.ExitStack() as stack:
        processes: list[subprocess.Popen[str]] = []
        for rank in range(2):
            log = stack.enter_context((directory / f"{rank}.log").open("w"))
            command = [sys.executable, program, str(rank), str(port), str(directory)]
            process = subprocess.Popen(command, cwd=ROOT, env=environment, text=True, stdout=log, stderr=log)
            processes.append(stack.enter_context(process))
            stack.callback(process.kill)
        codes = [process.wait(timeout=380) for process in processes]
    assert codes == [0, 0], [(directory / f"{rank}.log").read_text()[-2000:] for rank in range(2)]
    return directory


@pytest.fixture(scope="module")
def told(directory: Path) -> list[dict[str, Any]]:
    return [json.loads((directory / f"{rank}.json").read_text()) for rank in range(2)]


def test_both_sample_the_same_and_have_the_numbers_of_one_process(told: list[dict[str, Any]]) -> None:
    golden = json.loads(short_training.GOLDEN.read_text())

    assert told[0] == told[1]
    assert told[0]["devices"] == 2
    assert told[0]["sampled"][0][0] == golden["first_completion"]
    for found, expected in zip(told[0]["numbers"], golden["numbers"], strict=True):
        for name, value in expected.items():
            np.testing.assert_allclose(found[name], value, rtol=RELATIVE, atol=ABSOLUTE, err_msg=name)


def test_they_write_one_checkpoint_together(directory: Path) -> None:
    kept = directory / "checkpoints" / "actor" / str(short_training.STEPS)

    assert {"model_params", "optimizer_state", "_CHECKPOINT_METADATA"} <= {p.name for p in kept.iterdir()}
