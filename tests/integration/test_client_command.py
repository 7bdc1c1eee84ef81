"""`python -m reward_client` from a shell."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from reward_client.local import LocalServer


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with LocalServer(tmp_path_factory.mktemp("server") / "log") as server:
        yield server.address


def run(*arguments: str) -> "subprocess.CompletedProcess[str]":
    command = (sys.executable, "-m", "reward_client", *arguments)
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_list_prints_one_reward_a_line(address: str) -> None:
    ended = run("--address", address, "list")

    names = [json.loads(line)["name"] for line in ended.stdout.splitlines()]
    assert names == ["boolean", "choice", "code", "ideation", "math", "summary", "writing"]


def test_score_prints_one_outcome_a_line(address: str, tmp_path: Path) -> None:
    file = tmp_path / "samples.jsonl"
    completion = "<reasoning>r</reasoning><answer>yes</answer>"
    rows = [
        {"reward": "boolean", "completion": completion, "boolean": {"value": True}},
        {"sampleId": "mine", "reward": "boolean", "completion": "yes", "boolean": {}},
    ]
    file.write_text("\n".join(json.dumps(row) for row in rows) + "\n\n")

    ended = run("--address", address, "score", str(file))

    outcomes = [json.loads(line) for line in ended.stdout.splitlines()]
    assert [(each["sample_id"], each["result"]["verdict"]) for each in outcomes] == [
        ("1", "CORRECT"),
        ("mine", "FORMAT_INVALID"),
    ]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("{", "line 1 is no sample"),
        ('{"rewrad": "math"}', 'line 1 is no sample.*"rewrad"'),
        ('{"reward": "math"}', "line 1 is no sample: reference: there is none"),
    ],
)
def test_a_line_that_is_no_sample_is_named(address: str, tmp_path: Path, line: str, said: str) -> None:
    file = tmp_path / "samples.jsonl"
    file.write_text(line)

    ended = run("--address", address, "score", str(file))

    assert ended.returncode == 1
    assert re.search(said, ended.stderr)
