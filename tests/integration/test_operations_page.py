"""What docs/operations.md says adds up, and what it names exists."""

import re
import shlex

import pytest

from reward_server.ray_serve import config as ray_config
from tests.conftest import ROOT

PAGE = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
OTHER_MS, PROGRAM_MS, BUDGET_MS, SHARE = 0.08, 3.0, 250.0, 0.7
ROWS = re.findall(r"^\| ([\d,]+)/s \| ([\d,]+) \| ([\d.]+) \| ([\d.]+) \| ([\d.]+) \|", PAGE, re.MULTILINE)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_the_table_of_sizes_is_what_its_formula_gives(row: tuple[str, ...]) -> None:
    rate, programs = (float(cell.replace(",", "")) for cell in row[:2])

    assert programs == pytest.approx(0.15 * rate)
    for cell, loops in zip(row[2:], (0.0, 0.02, 0.08), strict=True):
        busy_ms = (rate - programs) * OTHER_MS + programs * (PROGRAM_MS + loops * BUDGET_MS)
        assert float(cell) == pytest.approx(busy_ms / 1e3 / SHARE, abs=0.051)


def test_the_table_has_its_three_rows() -> None:
    assert len(ROWS) == 3


def test_the_rates_that_it_starts_from_are_in_the_measurements() -> None:
    measurements = (ROOT / "bench" / "README.md").read_text(encoding="utf-8")

    for rate in ("25,949/s", "658/s", "12.8 s"):
        assert rate in PAGE
        assert rate in measurements


def test_the_command_for_ray_has_flags_that_it_knows() -> None:
    (command,) = re.findall(r"^python -m reward_server\.ray_serve (.*)$", PAGE, re.MULTILINE)

    config = ray_config.read(shlex.split(command))

    assert (config.sandbox_resource, config.programs.most) == ("sandbox", 16)


def test_every_relative_link_and_every_named_file_exists() -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]+)\)", PAGE)
    files = re.findall(r"`((?:deploy|tests)/[\w./-]+)`", PAGE)
    manifests = [
        f"deploy/kubernetes/{name}" for name in re.findall(r"^\| `([\w-]+\.yaml)`", PAGE, re.MULTILINE)
    ]

    assert [link for link in links if not (ROOT / "docs" / link).exists()] == []
    assert [file for file in (*files, *manifests) if not (ROOT / file).exists()] == []
