"""Puts a page together: content, figures, style and script in one file that needs no network."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from evals.comparing.pairing import pair
from evals.errors import ResultsError
from evals.held_out import read_held_out, run_of
from evals.pages.page import asset, fill, json_in_script, plotly_script
from evals.places import check_file
from evals.report.content import Side, page_content
from evals.report.figures import figures
from evals.store import read_graded, read_results

REPORT_FILE = "report.html"


def write_report(directories: Sequence[Path], path: Path, *, seed: int = 0) -> None:
    """Write the page of one evaluation, or of two compared, to `path`.

    Raises:
        EvaluationError: a directory holds no results, they cannot be read, two have no graded prompt in
            common, or the page cannot be written.
        ValueError: there are neither one nor two directories.
    """
    if len(directories) not in (1, 2):
        raise ValueError(f"a page shows one evaluation or two, got {len(directories)}")
    labels = ("before", "after") if len(directories) == 2 else ("run",)
    sides = [_side(label, directory) for label, directory in zip(labels, directories, strict=True)]
    if len(sides) == 2 and not (found := pair(sides[0].graded, sides[1].graded)).prompts:
        raise ResultsError(
            f"{directories[0]} and {directories[1]} have no graded prompt in common "
            f"({dict(found.left_out)}): compare evaluations of the same questions"
        )
    title = " → ".join(side.results.source for side in sides)
    content = page_content(sides, title=title, seed=seed)
    page = render({**content, "figures": figures(sides, seed=seed)}, title=title)
    check_file("output", path)
    path.write_text(page, encoding="utf-8", errors="replace")  # a path may hold what UTF-8 does not


def _side(label: str, directory: Path) -> Side:
    results = read_results(directory)
    run = run_of(directory, results.source)
    held_out = read_held_out(run) if run is not None else []
    return Side(label=label, results=results, graded=read_graded(directory), held_out=held_out)


def render(content: Mapping[str, object], *, title: str) -> str:
    """Render the page around its content."""
    parts = {
        "plotly": plotly_script(),
        "content": json_in_script(content),
        "script": asset("evals.report", "page.js"),
    }
    return fill(asset("evals.report", "page.html"), title=title, parts=parts)
