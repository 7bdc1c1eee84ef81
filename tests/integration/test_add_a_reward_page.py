"""`docs/add-a-reward.md`, followed to the letter: build its package, serve it, grade its cases."""

import re
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from reward_client.client import RewardClient
from reward_client.local import LocalServer
from tests.integration.reward_cases import read_cases, surprises

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "add-a-reward.md"
# A line "`name`:" and the block below it.
FILE = re.compile(r"^`([\w.]+)`:\n\n```\w+\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page's project, as files."""
    directory = tmp_path_factory.mktemp("assay-json-object")
    for name, content in FILE.findall(PAGE.read_text(encoding="utf-8")):
        (directory / name).write_text(content, encoding="utf-8")
    return directory


@pytest.fixture(scope="module")
def installed(project: Path) -> Path:
    """A directory with the built wheel unpacked, which is all that installing it offline means."""
    build = (sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", "dist")
    subprocess.run(build, cwd=project, check=True, capture_output=True, timeout=120)
    (wheel,) = (project / "dist").glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(project / "site")
    return project / "site"


@pytest.fixture(scope="module")
def client(installed: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RewardClient]:
    log = tmp_path_factory.mktemp("server") / "log"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(installed))
        with LocalServer(log) as server, RewardClient(server.address) as made:
            yield made


def test_the_page_shows_the_files_it_lists(project: Path) -> None:
    listed = re.search(r"assay-json-object/\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)

    assert listed
    assert {line.split()[0] for line in listed[1].splitlines()} == {file.name for file in project.iterdir()}


def test_the_server_lists_the_new_reward_with_the_hash_of_its_source(client: RewardClient) -> None:
    rewards = {reward.name: reward for reward in client.list_rewards()}

    assert {"json_object", "math"} <= set(rewards)
    assert rewards["json_object"].reference == "text"
    assert re.fullmatch(r"1\.0\.0\+[0-9a-f]{8}", rewards["json_object"].version)


def test_every_case_of_the_page_comes_back_as_it_must(client: RewardClient, project: Path) -> None:
    cases = read_cases(project / "cases.jsonl")

    assert len(cases) > 10
    assert surprises(cases, client.score(cases, timeout_s=60.0)) == []


@pytest.mark.parametrize(
    "answer", ["[" * 4_000, '{"a":' * 800, '{"name": "' + "x" * 5_000 + '"}', '"', "\x00"]
)
def test_no_hostile_answer_makes_the_new_reward_fail(
    client: RewardClient, project: Path, answer: str
) -> None:
    case = read_cases(project / "cases.jsonl")[0]
    hostile = replace(case, completion=f"<reasoning>r</reasoning><answer>{answer}</answer>")

    (outcome,) = client.score([hostile], timeout_s=60.0)

    assert getattr(outcome.result, "verdict", None) in {"NO_ANSWER", "FORMAT_INVALID"}
