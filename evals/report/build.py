"""Puts a page together: content, figures, style and script in one file that needs no network."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from evals.pages.page import asset, fill, json_in_script, plotly_script
from evals.report.content import Side, page_content
from evals.report.figures import figures
from evals.store import read_graded, read_results

REPORT_FILE = "report.html"


def write_report(directories: Sequence[Path], path: Path, *, seed: int = 0) -> None:
    """Write the page of one evaluation, or of two compared, to `path`.

    Raises:
        ResultsError: a directory holds no results, or they cannot be read.
        ValueError: there are neither one nor two directories.
    """
    if len(directories) not in (1, 2):
        raise ValueError(f"a page shows one evaluation or two, got {len(directories)}")
    labels = ("before", "after") if len(directories) == 2 else ("run",)
    sides = [
        Side(label=label, results=read_results(directory), graded=read_graded(directory))
        for label, directory in zip(labels, directories, strict=True)
    ]
    title = " → ".join(side.results.source for side in sides)
    content = page_content(sides, title=title, seed=seed)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(render({**content, "figures": figures(sides, seed=seed)}, title=title), encoding="utf-8")


def render(content: Mapping[str, object], *, title: str) -> str:
    """Render the page around its content."""
    parts = {
        "plotly": plotly_script(),
        "content": json_in_script(content),
        "script": asset("evals.report", "page.js"),
    }
    return fill(asset("evals.report", "page.html"), title=title, parts=parts)
