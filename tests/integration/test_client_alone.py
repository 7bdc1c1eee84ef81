"""`pip install assay-rl` without extras, in an environment of its own, against a live server."""

import json
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import ROOT, missing
from tests.fake_rewards import Inline, completion
from tests.live import live

DEPENDENCIES = {"assay-rl", "grpcio", "protobuf", "typing-extensions"}
GIVE_UP_S = 120
NO_INDEX = (
    "No matching distribution",
    "Could not fetch URL",
    "NewConnectionError",
    "ConnectionError",
    "dns error",
)

GRADE = """
import json, sys
from reward_client.adapters import trl, verl
from reward_client.api import MathReference, Sample
from reward_client.client import RewardClient

reference = MathReference(answer="4")
sample = Sample(sample_id="s", reward="inline", prompt="", completion=sys.argv[2], reference=reference)
with RewardClient(sys.argv[1]) as client:
    (outcome,) = client.score([sample], timeout_s=30)
loaded = {name.partition(".")[0] for name in sys.modules} - sys.stdlib_module_names
print(json.dumps({"value": outcome.result.value, "loaded": sorted(loaded)}))
"""


def run(*command: str, cwd: Path) -> str:
    ended = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=GIVE_UP_S, check=False)
    if ended.returncode != 0:
        if any(sign in ended.stderr for sign in NO_INDEX):
            missing(f"no package index can be reached: {ended.stderr.strip().splitlines()[-1]}")
        pytest.fail(f"{command}: {ended.stderr[-2_000:]}")
    return ended.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from a copy, because the build writes stubs beside the .proto file that others read."""
    copy = tmp_path_factory.mktemp("source")
    for name in ("pyproject.toml", "hatch_build.py", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, copy)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    packages: list[str] = project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
    for name in {package.partition("/")[0] for package in packages}:
        shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__", "*_pb2*"))
    run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", "dist", cwd=copy)
    (built,) = (copy / "dist").iterdir()
    return built


@pytest.fixture(scope="module")
def python(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    directory = tmp_path_factory.mktemp("alone")
    uv = shutil.which("uv")
    if uv is None:
        run(sys.executable, "-m", "venv", "venv", cwd=directory)
        run("venv/bin/python", "-m", "pip", "install", "--quiet", str(wheel), cwd=directory)
    else:
        run(uv, "venv", "--quiet", "--python", sys.executable, "venv", cwd=directory)
        run(uv, "pip", "install", "--quiet", "--python", "venv/bin/python", str(wheel), cwd=directory)
    return str(directory / "venv" / "bin" / "python")


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with live(Inline()) as address:
        yield address


def test_the_client_comes_with_grpc_and_protobuf_alone(python: str, tmp_path: Path) -> None:
    list_them = "import importlib.metadata as m, json; print(json.dumps([d.name for d in m.distributions()]))"
    installed = {
        name.lower().replace("_", "-") for name in json.loads(run(python, "-c", list_them, cwd=tmp_path))
    }

    assert installed - {"pip", "setuptools"} == DEPENDENCIES


def test_it_grades_and_loads_nothing_else(python: str, address: str, tmp_path: Path) -> None:
    found = json.loads(run(python, "-c", GRADE, address, completion("x"), cwd=tmp_path))

    assert found["value"] == 1.0
    ours = {"reward", "reward_client", "grpc", "google", "typing_extensions", "__main__", "cython_runtime"}
    assert {name for name in found["loaded"] if not name.startswith("_")} <= ours
