"""The same training on eight devices as on one: equal numbers, and every array laid out as asked."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.unit.policy import short_training

ROOT = Path(__file__).resolve().parents[3]
GOLDEN = ROOT / "tests" / "data" / "golden_step.json"
# As in `test_training_numbers`: the same sums in float32, in another order.
RELATIVE, ABSOLUTE = 1e-4, 1e-6


# Fully sharded with sampling on devices of its own, and fsdp x tp on all eight.
MESHES = {"4x1+2x2": 4, "2x4": 8}


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """A run on each mesh of eight virtual devices, in one process of its own."""
    out = tmp_path_factory.mktemp("meshes") / "ran.json"
    environment = os.environ | {
        "JAX_PLATFORMS": "cpu",
        "XLA_FLAGS": "--xla_force_host_platform_device_count=8",
        "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "proto")]),
    }
    # By its path: packages that install a `tests` of their own would hide ours from `-m`.
    command = [sys.executable, str(Path(short_training.__file__)), str(out), *MESHES]
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=280, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(out.read_text())


@pytest.fixture(scope="module", params=MESHES)
def trained(request: pytest.FixtureRequest, ran: dict[str, dict[str, Any]]) -> dict[str, Any]:
    return {"mesh": request.param, **ran[request.param]}


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
    "4x1+2x2": {
        ("frozen", "['input_embedding']"): ((288, 32), (288, 8)),
        ("frozen", "['q_einsum']['w']"): ((4, 32, 16), (4, 8, 16)),
        ("frozen", "['down_proj']['kernel']"): ((64, 32), (64, 8)),
        ("lora", "['q_einsum']['w_lora_a']"): ((32, 4), (8, 4)),
        ("lora", "['down_proj']['kernel_lora_b']"): ((4, 32), (4, 8)),
        ("optimizer", "['mu']['layers'][0]['attn']['q_einsum']['w_lora_a']"): ((32, 4), (8, 4)),
        ("optimizer", "['nu']['layers'][1]['mlp']['down_proj']['kernel_lora_b']"): ((4, 32), (4, 8)),
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


def test_sampling_on_other_devices_reads_the_adapters_of_every_step(ran: dict[str, dict[str, Any]]) -> None:
    """Tokens of the last steps come from adapters that have moved; stale ones sample others."""
    apart, together = ran["4x1+2x2"], ran["2x4"]

    assert (apart["rollout_devices"], together["rollout_devices"]) == ([4, 5, 6, 7], list(range(8)))
    assert apart["sampled"] == together["sampled"]


def test_every_array_is_on_all_devices_of_training(trained: dict[str, Any]) -> None:
    arrays = {**trained["frozen"], **trained["lora"], **trained["optimizer"]}

    assert {array["devices"] for array in arrays.values()} == {MESHES[trained["mesh"]]}
    adapters = sum(np.prod(array["shard"]) for array in trained["lora"].values())
    whole = sum(np.prod(array["shape"]) for array in trained["lora"].values())
    assert adapters < whole / 1.3  # the narrow sides of adapters, of size rank, are never divided
