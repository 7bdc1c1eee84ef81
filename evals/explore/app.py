"""The explorer's HTTP side: a page, the charting library, and JSON of what is in the run.

It serves one person on one machine: it listens on loopback unless told otherwise, and
answers only to the host names that were asked for, so that no other page can read it.
"""

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from evals.explore.curves import curves, difference
from evals.explore.rollouts import GroupFilter, Rollouts, Row
from evals.explore.signals import signals
from evals.held_out import Point, read_held_out
from evals.pages.page import asset, fill, plotly_script
from evals.results import ALL

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
            Route("/api/overview", _json(_Overview(rollouts, run_dir))),
            Route("/api/groups", _json(lambda asked: _groups(rollouts, asked))),
            Route("/api/group", _json(lambda asked: _group(rollouts, asked))),
            Route("/api/prompt", _json(lambda asked: _prompt(rollouts, asked))),
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


class _Overview:
    """Curves and signals of the run, made again when there is something new: pages ask all the time."""

    def __init__(self, rollouts: Rollouts, run_dir: Path) -> None:
        self._rollouts = rollouts
        self._run_dir = run_dir
        self._made: tuple[tuple[int, Sequence[Point]], Mapping[str, Any]] | None = None

    def __call__(self, _: Mapping[str, str]) -> Mapping[str, Any]:
        version = self._rollouts.refresh()
        (last,) = self._rollouts.rows("SELECT coalesce(max(step), 0) AS step FROM rollouts")
        points = read_held_out(self._run_dir, last_step=last["step"])
        if self._made is None or self._made[0] != (version, points):
            self._made = (version, points), self._make(version, points)
        return {
            **self._made[1],
            "last_step": last["step"],
            "finished": (self._run_dir / "summary.json").is_file(),
            "unreadable": self._rollouts.unreadable,
        }

    def _make(self, version: int, points: Sequence[Point]) -> Mapping[str, Any]:
        return {
            "version": f"{version}/{len(points)}",
            "run": self._run_dir.resolve().name,
            **curves(self._rollouts),
            "held_out": [
                {**asdict(point), "domain": None if point.domain == ALL else point.domain} for point in points
            ],
            "signals": [
                {**asdict(signal), "status": signal.status.value}
                for signal in signals(self._rollouts, points)
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
    return _completions(rollouts.completions(_whole(asked, "step"), asked.get("group", "")))


def _prompt(rollouts: Rollouts, asked: Mapping[str, str]) -> list[Mapping[str, Any]]:
    return _completions(rollouts.of_prompt(_whole(asked, "step"), asked.get("example", "")))


def _completions(rows: Sequence[Row]) -> list[Mapping[str, Any]]:
    return [{**row, "components": json.loads(row["components"] or "{}")} for row in rows]


def _difference(rollouts: Rollouts, asked: Mapping[str, str]) -> Mapping[str, Any]:
    return difference(rollouts, _whole(asked, "a"), _whole(asked, "b"))


def _whole(asked: Mapping[str, str], name: str, *, default: int | None = None) -> int:
    text = asked.get(name, "")
    if not text and default is not None:
        return default
    if not (text.isascii() and text.isdecimal() and len(text) <= 10) or int(text) > 2**31 - 1:
        raise _BadParameterError(f"{name}: needs a whole number, got {text[:40]!r}")
    return int(text)
