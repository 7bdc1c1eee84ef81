"""What docs/other-trainers.md shows is true: its names exist, and its own example grades."""

import ast
import importlib
import io
import re
from contextlib import redirect_stdout
from pathlib import Path

import pytest

from reward_client.adapters import openrlhf
from reward_client.local import LocalServer
from tests.conftest import ROOT

PAGE = (ROOT / "docs" / "other-trainers.md").read_text(encoding="utf-8")
SNIPPETS = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


@pytest.mark.parametrize("snippet", SNIPPETS, ids=["trl", "verl", "maxtext", "another"])
def test_what_a_snippet_imports_of_ours_exists(snippet: str) -> None:
    imports = [node for node in ast.walk(ast.parse(snippet)) if isinstance(node, ast.ImportFrom)]
    ours = [node for node in imports if node.module and node.module.startswith("reward_client")]

    assert ours
    for node in ours:
        assert all(hasattr(importlib.import_module(str(node.module)), each.name) for each in node.names)


def test_the_example_for_another_trainer_prints_a_score(tmp_path: Path) -> None:
    printed = io.StringIO()
    with LocalServer(tmp_path / "server.log") as server, redirect_stdout(printed):
        exec(SNIPPETS[-1].replace("127.0.0.1:50051", server.address), {})

    assert printed.getvalue() == "1.0\n"


def test_the_command_of_the_front_has_flags_that_it_knows() -> None:
    (command,) = re.findall(r"python -m reward_client.adapters.openrlhf (.*)", PAGE)

    arguments = openrlhf._parser().parse_args(command.replace("'", "").split())

    assert arguments.stop == ["<|im_end|>"]
