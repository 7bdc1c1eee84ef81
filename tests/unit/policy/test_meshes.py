"""The same training on eight devices as on one: equal numbers, and every array laid out as asked."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[3]
GOLDEN = ROOT / "tests" / "data" / "golden_step.json"
# As in `test_training_numbers`: the same sums in float32, in another order.
RELATIVE, ABSOLUTE = 1e-4, 1e-6


@pytest.fixture(scope="module", params=["8x1", "2x4"])
def trained(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """A run on a mesh of eight virtual devices, in a process of its own."""
    out = tmp_path_factory.mktemp("meshes") / "ran.json"
    environment = os.environ | {
        "JAX_PLATFORMS": "cpu",
        "XLA_FLAGS": "--xla_force_host_platform_device_count=8",
        "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "proto")]),
    }
    command = [sys.executable, "-m", "tests.unit.policy.short_training", str(out), request.param]
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=280, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return {"mesh": request.param, **json.loads(out.read_text())[request.param]}


def test_sampled_tokens_and_numbers_are_those_of_one_device(trained: dict[str, Any]) -> None:
    golden = json.loads(GOLDEN.read_text())

    assert trained["sampled"][0][0] == golden["first_completion"]
    for found, expected in zip(trained["numbers"], golden["numbers"], strict=True):
        for name, value in expected.items():
            np.testing.assert_allclose(found[name], value, rtol=RELATIVE, atol=ABSOLUTE, err_msg=name)


def shards(trained: dict[str, Any], kind: str, name: str) -> set[tuple[tuple[int, ...], tuple[int, ...]]]:
    """(shape, shape on a device) of the arrays of `kind` whose path ends with `name`."""
    found = {
        (tuple(array["shape"]), tuple(array["shard"]))
        for path, array in trained[kind].items()
        if path.removesuffix(".value").endswith(name)
    }
    assert found, f"no {name} among {kind}"
    return found


EXPECTED = {
    # fsdp divides the width D=32, tp divides heads N=4, hidden 64 and vocabulary 288.
    "8x1": {
        ("frozen", "['input_embedding']"): ((288, 32), (288, 4)),
        ("frozen", "['q_einsum']['w']"): ((4, 32, 16), (4, 4, 16)),
        ("frozen", "['down_proj']['kernel']"): ((64, 32), (64, 4)),
        ("lora", "['q_einsum']['w_lora_a']"): ((32, 4), (4, 4)),
        ("lora", "['down_proj']['kernel_lora_b']"): ((4, 32), (4, 4)),
        ("optimizer", "['mu']['layers'][0]['attn']['q_einsum']['w_lora_a']"): ((32, 4), (4, 4)),
        ("optimizer", "['nu']['layers'][1]['mlp']['down_proj']['kernel_lora_b']"): ((4, 32), (4, 4)),
    },
    "2x4": {
        ("frozen", "['input_embedding']"): ((288, 32), (72, 16)),
        ("frozen", "['q_einsum']['w']"): ((4, 32, 16), (1, 16, 16)),
        ("frozen", "['down_proj']['kernel']"): ((64, 32), (16, 16)),
        ("lora", "['q_einsum']['w_lora_b']"): ((4, 4, 16), (4, 1, 16)),
        ("lora", "['gate_proj']['kernel_lora_b']"): ((4, 64), (4, 16)),
        ("lora", "['down_proj']['kernel_lora_a']"): ((64, 4), (16, 4)),
        ("optimizer", "['mu']['layers'][0]['attn']['q_einsum']['w_lora_b']"): ((4, 4, 16), (4, 1, 16)),
        ("optimizer", "['nu']['layers'][1]['mlp']['down_proj']['kernel_lora_a']"): ((64, 4), (16, 4)),
    },
}


def test_weights_adapters_and_moments_lie_as_the_mesh_says(trained: dict[str, Any]) -> None:
    for (kind, name), expected in EXPECTED[trained["mesh"]].items():
        assert shards(trained, kind, name) == {expected}, (kind, name)


def test_every_array_is_on_all_eight_devices(trained: dict[str, Any]) -> None:
    arrays = {**trained["frozen"], **trained["lora"], **trained["optimizer"]}

    assert {array["devices"] for array in arrays.values()} == {8}
    adapters = sum(np.prod(array["shard"]) for array in trained["lora"].values())
    whole = sum(np.prod(array["shape"]) for array in trained["lora"].values())
    assert adapters < whole / 1.5  # the narrow sides of adapters, of size rank, are never divided
