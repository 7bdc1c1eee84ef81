"""What counts as an import when a reward's sources are hashed: all that the parser would find."""

import ast
from pathlib import Path

import pytest

from reward_server import provenance

ROOT = Path(__file__).resolve().parents[3]
SOURCES = [
    path
    for package in ("reward_server", "sandbox", "tasks", "tests")
    for path in (ROOT / package).rglob("*.py")
]


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("import hashed.a", {"hashed.a"}),
        ("import os, hashed.a as a, hashed.b", {"hashed.a", "hashed.b"}),
        ("from hashed import a", {"hashed.a"}),
        ("from hashed.a import name", {"hashed.a"}),
        (
            "from hashed import (  # a comment (with brackets)\n    a,\n    b as c,\n)",
            {"hashed.a", "hashed.b"},
        ),
        ("from hashed import(a, b)", {"hashed.a", "hashed.b"}),
        ("from hashed import a, \\\n    b", {"hashed.a", "hashed.b"}),
        ("import os, \\\n    hashed.b", {"hashed.b"}),
        ("x = 1; import hashed.a", {"hashed.a"}),
        ("if x: from hashed import a", {"hashed.a"}),
        ("def f():\n\tfrom hashed import a", {"hashed.a"}),
        ("TASKS = {'task': 'hashed.a:run'}", {"hashed.a"}),
        ("# hashed.a is not imported, nor is hashed.b:run", set()),
        ("import os\nfrom hashes import a", set()),
    ],
)
def test_every_way_to_import_is_followed(
    source: str, found: set[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "hashed"
    package.mkdir()
    (package / "__init__.py").write_text("")
    for module in ("a", "b"):
        (package / f"{module}.py").write_text("")
    (package / "top.py").write_text(source)
    monkeypatch.syspath_prepend(tmp_path)

    assert set(provenance.sources(["hashed.top"])) - {"hashed", "hashed.top"} == found


def test_the_parser_finds_no_import_in_these_sources_that_is_not_followed() -> None:
    assert len(SOURCES) > 100
    for path in SOURCES:
        scanned = set(provenance.imports(path.read_text("utf-8")))

        assert set(_parsed(path)) <= scanned, path


def _parsed(path: Path) -> list[str]:
    found: list[str] = []
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    return found
