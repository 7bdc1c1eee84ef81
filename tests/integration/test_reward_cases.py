"""Every built-in reward over its case file, through a real server."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from reward_client.client import RewardClient
from reward_client.local import LocalServer
from reward_server.registry import BUILT_IN
from tests.integration.reward_cases import read_cases, surprises

FILES = sorted((Path(__file__).parents[1] / "cases" / "rewards").glob("*.jsonl"))


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RewardClient]:
    with (
        LocalServer(tmp_path_factory.mktemp("server") / "log") as server,
        RewardClient(server.address) as made,
    ):
        yield made


def test_every_built_in_reward_has_a_case_file() -> None:
    assert [file.stem for file in FILES] == sorted(BUILT_IN)


@pytest.mark.parametrize(
    "file",
    [
        pytest.param(file, marks=pytest.mark.docker if file.stem == "code" else (), id=file.stem)
        for file in FILES
    ],
)
def test_every_case_comes_back_as_it_must(
    file: Path, client: RewardClient, request: pytest.FixtureRequest
) -> None:
    if file.stem == "code":
        request.getfixturevalue("sandbox_image")
    cases = read_cases(file)

    assert {case.reward for case in cases} == {file.stem}
    assert surprises(cases, client.score(cases, timeout_s=120.0)) == []
