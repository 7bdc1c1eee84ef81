"""Puts a page together: content, figures, style and script in one file that needs no network."""

import json
from collections.abc import Mapping, Sequence
from html import escape
from importlib.resources import files
from pathlib import Path

from plotly.offline import get_plotlyjs  # pyright: ignore[reportMissingTypeStubs, reportUnknownVariableType]

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
    here = files("evals.report")
    parts = {
        "{{title}}": escape(title),
        "{{style}}": here.joinpath("page.css").read_text(encoding="utf-8"),
        "{{plotly}}": _script_text(str(get_plotlyjs())),
        "{{content}}": _json_in_script(content),
        "{{script}}": here.joinpath("page.js").read_text(encoding="utf-8"),
    }
    template = here.joinpath("page.html").read_text(encoding="utf-8")
    pieces = template.split("{{")
    page = [pieces[0]]
    for piece in pieces[1:]:  # one pass: what is put in is never searched for further marks
        name, _, rest = piece.partition("}}")
        page += [parts["{{" + name + "}}"], rest]
    return "".join(page)


def _json_in_script(content: Mapping[str, object]) -> str:
    """Write JSON that cannot end its script element, whatever texts it holds."""
    text = json.dumps(content, ensure_ascii=True, allow_nan=False)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _script_text(script: str) -> str:
    return script.replace("</script", "<\\/script")
