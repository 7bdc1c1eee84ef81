"""The explorer's HTTP side: a page, the charting library, and JSON of what is in the run.

It serves one person on one machine: it listens on loopback unless told otherwise, and
answers only to the host names that were asked for, so that no other page can read it.
"""

import asyncio
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from evals.explore.curves import curves, difference, held_out
from evals.explore.rollouts import GroupFilter, Rollouts
from evals.explore.signals import signals
from evals.pages.page import asset, fill, plotly_script

_PAGE = 100
_SECURITY = {
    "content-security-policy": "default-src 'none'; script-src 'self' 'unsafe-inline'; "
    "style-src 'unsafe-inline'; connect-src 'self'; img-src data: blob:",
    "x-content-type-options": "nosniff",
}

Answer = Callable[[Mapping[str, str]], Any]


def app(run_dir: Path, *, hosts: list[str]) -> Starlette:
    """Build the application over a run; `hosts` are the names that it answers to.

    Raises:
        ResultsError: there is no such directory.
    """
    rollouts = Rollouts(run_dir)
    page = fill(
        asset("evals.explore", "page.html"),
        title=f"Rollouts of {run_dir.resolve().name}",
        parts={"script": asset("evals.explore", "page.js")},
    )
    charts = plotly_script()

    async def index(_: Request) -> Response:
        return HTMLResponse(page, headers=_SECURITY)

    async def plotly(_: Request) -> Response:
        return Response(charts, media_type="text/javascript", headers={"cache-control": "max-age=86400"})

    return Starlette(
        routes=[
            Route("/", index),
            Route("/plotly.js", plotly),
            Route("/api/overview", _json(lambda _: _overview(rollouts, run_dir))),
            Route("/api/groups", _json(lambda asked: _groups(rollouts, asked))),
            Route("/api/group", _json(lambda asked: _group(rollouts, asked))),
            Route("/api/difference", _json(lambda asked: _difference(rollouts, asked))),
        ],
        middleware=[Middleware(TrustedHostMiddleware, allowed_hosts=hosts)],
    )


def _json(answer: Answer) -> Callable[[Request], Any]:
    """Answer in a thread, because a query may take a while; a bad parameter is status 400."""

    async def handle(request: Request) -> Response:
        try:
            found = await asyncio.to_thread(answer, request.query_params)
        except _BadParameterError as error:
            return PlainTextResponse(str(error), status_code=400)
        return JSONResponse(json.loads(json.dumps(found, default=str), parse_constant=lambda _: None))

    return handle


class _BadParameterError(Exception):
    """A query parameter cannot be what it is."""


def _overview(rollouts: Rollouts, run_dir: Path) -> Mapping[str, Any]:
    version = rollouts.refresh()
    drawn = curves(rollouts)
    last_step = drawn["steps"][-1]["step"] if drawn["steps"] else 0
    evaluated = held_out(run_dir, last_step=last_step)
    return {
        "version": version,
        "run": run_dir.resolve().name,
        "finished": (run_dir / "summary.json").is_file(),
        "last_step": last_step,
        **drawn,
        "held_out": evaluated,
        "signals": [
            {**asdict(signal), "status": signal.status.value} for signal in signals(rollouts, evaluated)
        ],
    }


def _groups(rollouts: Rollouts, asked: Mapping[str, str]) -> Mapping[str, Any]:
    wanted = GroupFilter(
        step=_whole(asked, "step") if asked.get("step") else None,
        domain=asked.get("domain", ""),
        verdict=asked.get("verdict", ""),
        failed=asked.get("failed", "") == "1",
        flat={"flat": True, "varied": False}.get(asked.get("variance", "")),
        query=asked.get("q", ""),
    )
    total, rows = rollouts.groups(wanted, offset=_whole(asked, "offset", default=0), limit=_PAGE)
    return {"total": total, "groups": rows, "page": _PAGE}


def _group(rollouts: Rollouts, asked: Mapping[str, str]) -> list[Mapping[str, Any]]:
    rows = rollouts.completions(_whole(asked, "step"), asked.get("group", ""))
    return [{**row, "components": json.loads(row["components"])} for row in rows]


def _difference(rollouts: Rollouts, asked: Mapping[str, str]) -> Mapping[str, Any]:
    return difference(rollouts, _whole(asked, "a"), _whole(asked, "b"))


def _whole(asked: Mapping[str, str], name: str, *, default: int | None = None) -> int:
    text = asked.get(name, "")
    if not text and default is not None:
        return default
    if not (text.isascii() and text.isdecimal()) or int(text) > 2**31 - 1:
        raise _BadParameterError(f"{name}: needs a whole number, got {text[:40]!r}")
    return int(text)
