"""Puts a page together in one pass over its template, and keeps what is put in from ending an element."""

import json
from collections.abc import Mapping
from html import escape
from importlib.resources import files

from plotly.offline import get_plotlyjs  # pyright: ignore[reportMissingTypeStubs, reportUnknownVariableType]


def asset(package: str, name: str) -> str:
    """Read a file that lies beside the code of `package`."""
    return files(package).joinpath(name).read_text(encoding="utf-8")


def plotly_script() -> str:
    """Return the charting library, fit to stand in a script element."""
    return str(get_plotlyjs()).replace("</script", "<\\/script")


def fill(template: str, *, title: str, parts: Mapping[str, str]) -> str:
    """Replace `{{name}}` by its part. What is put in is never searched for further marks."""
    known = {
        "title": escape(title),
        "style": asset("evals.pages", "style.css"),
        "common": asset("evals.pages", "common.js"),
        **parts,
    }
    first, *pieces = template.split("{{")
    page = [first]
    for piece in pieces:
        name, _, rest = piece.partition("}}")
        page += [known[name], rest]
    return "".join(page)


def json_in_script(content: Mapping[str, object]) -> str:
    """Write JSON that cannot end its script element, whatever texts it holds."""
    text = json.dumps(content, ensure_ascii=True, allow_nan=False)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
