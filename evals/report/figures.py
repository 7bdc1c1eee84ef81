# pyright: basic
"""The plots of a page, as Plotly figures; plotly ships no complete types, so this is checked loosely.

Colours are Okabe and Ito's, told apart with any colour vision. Text and grid lines have
none of their own: the page gives them those of its theme.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import plotly.graph_objects as go

from evals.comparing.compare import Comparison, compare
from evals.grade import Graded
from evals.report.content import Side
from evals.report.curves import held_out, lengths, pass_at
from evals.report.marks import GREEN, GREY, ORANGE, PINK, RED, SIDES, SKY, Drawn, bars
from evals.results import ALL
from evals.statistics import Estimate
from reward_client.api import Score

_UNGRADED = "UNGRADED"
_VERDICTS = {
    "CORRECT": GREEN, "QUALITY": SKY, "PARTIAL": "#7fc7b0", "INCORRECT": RED, "FORMAT_INVALID": ORANGE,
    "NO_ANSWER": "#b8860b", "TOO_LONG": "#8c6d31", "TIME_LIMIT": PINK, "MEMORY_LIMIT": "#9e5a85",
    "OUTPUT_LIMIT": "#7a4468", "RUNTIME_ERROR": "#a23b00", "REJECTED": "#5a0f0f", _UNGRADED: GREY,
}  # fmt: skip
_ROW_PX = 34


def figures(sides: Sequence[Side], *, seed: int = 0) -> list[Mapping[str, Any]]:
    """Return the plots of a page: id, title, what to see in it, and the figure as JSON values."""
    drawn = [_by_domain(sides)]
    if len(sides) == 2:
        drawn.append(_differences(compare(sides[0].graded, sides[1].graded, seed=seed)))
    drawn += [_verdicts(sides), lengths(sides)]
    if any(side.results.domains[ALL].pass_at for side in sides):
        drawn.append(pass_at(sides))
    if any(side.held_out for side in sides):
        drawn.append(held_out(sides))
    return [
        {"id": name, "title": title, "caption": caption, "figure": figure.to_plotly_json()}
        for name, title, caption, figure in drawn
    ]


def _by_domain(sides: Sequence[Side]) -> Drawn:
    figure = go.Figure()
    names = list(dict.fromkeys(name for side in sides for name in side.results.domains))
    for index, side in enumerate(sides):
        found = [
            (name, side.results.domains[name].accuracy) for name in names if name in side.results.domains
        ]
        offset = (index - (len(sides) - 1) / 2) * 0.28
        figure.add_trace(
            _points(
                [(names.index(name) + offset, estimate, name) for name, estimate in found if estimate],
                name=side.label,
                colour=SIDES[index],
            )
        )
    figure.update_layout(
        yaxis={
            "tickvals": list(range(len(names))),
            "ticktext": names,
            "autorange": "reversed",
            "zeroline": False,
        },
        xaxis={"range": [-0.02, 1.02], "tickformat": ".0%", "title": "accuracy"},
        height=_height(len(names)),
        showlegend=len(sides) > 1,
    )
    return "domains", "Accuracy by domain", "Mean and 95 % interval; prompts are the unit of chance.", figure


def _points(rows: Sequence[tuple[float, Estimate, str]], *, name: str, colour: str) -> go.Scatter:
    return go.Scatter(
        name=name,
        mode="markers",
        x=[estimate.mean for _, estimate, _ in rows],
        y=[y for y, _, _ in rows],
        error_x=bars([(estimate.mean, estimate.interval) for _, estimate, _ in rows]),
        marker={"size": 10, "color": colour},
        customdata=[
            [name, *estimate.interval, estimate.prompts, estimate.values] for _, estimate, name in rows
        ],
        hovertemplate="%{customdata[0]}: %{x:.1%} [%{customdata[1]:.1%}, %{customdata[2]:.1%}]"
        "<br>%{customdata[3]} prompts, %{customdata[4]} completions<extra></extra>",
    )


def _differences(compared: Mapping[str, Comparison]) -> Drawn:
    names = list(compared)
    rows = list(compared.values())
    colours = [{"better": GREEN, "worse": RED}.get(row.verdict, GREY) for row in rows]
    figure = go.Figure(
        go.Scatter(
            mode="markers",
            x=[row.difference for row in rows],
            y=names,
            error_x=bars([(row.difference, row.interval) for row in rows], color=GREY),
            marker={"size": 10, "color": colours},
            customdata=[
                [
                    row.better,
                    row.worse,
                    row.p_value if row.p_adjusted is None else row.p_adjusted,
                    "-" if row.detectable is None else f"{row.detectable:.1%}",
                ]
                for row in rows
            ],
            hovertemplate="%{y}: %{x:+.1%}<br>%{customdata[0]} better, %{customdata[1]} worse"
            "<br>p %{customdata[2]:.2g}, detectable %{customdata[3]}<extra></extra>",
        )
    )
    figure.update_layout(
        yaxis={"autorange": "reversed"},
        xaxis={"tickformat": "+.0%", "title": "change of accuracy", "zeroline": True},
        height=_height(len(names)),
        showlegend=False,
    )
    caption = "Paired by prompt, with the 95 % bootstrap interval; in colour where p (Holm) is below 0.05."
    return "differences", "Change by domain", caption, figure


def _verdicts(sides: Sequence[Side]) -> Drawn:
    counts: dict[str, Counter[str]] = {}
    for side in sides:
        prefix = f"{side.label}: " if len(sides) > 1 else ""
        for graded in side.graded:
            counts.setdefault(f"{prefix}{graded.domain.value}", Counter())[_verdict(graded)] += 1
    order = list(dict.fromkeys(graded.domain.value for side in sides for graded in side.graded))
    rows = sorted(counts, key=lambda row: order.index(row.rpartition(": ")[2]))
    figure = go.Figure()
    for verdict, colour in _VERDICTS.items():
        shares = [counts[row][verdict] / counts[row].total() for row in rows]
        if any(shares):
            figure.add_trace(
                go.Bar(
                    name=verdict,
                    orientation="h",
                    y=rows,
                    x=shares,
                    marker={"color": colour},
                    customdata=[counts[row][verdict] for row in rows],
                    hovertemplate="%{y}: %{customdata} " + verdict + ", %{x:.1%}<extra></extra>",
                )
            )
    figure.update_layout(
        barmode="stack",
        yaxis={"autorange": "reversed"},
        xaxis={"range": [0, 1], "tickformat": ".0%", "dtick": 0.25, "title": "share of completions"},
        height=_height(len(rows)),
        showlegend=True,
        legend={"traceorder": "normal"},
    )
    return "verdicts", "Verdicts", "What became of the completions; ungraded ones are in no accuracy.", figure


def _verdict(graded: Graded) -> str:
    result = graded.outcome.result
    return result.verdict if isinstance(result, Score) else _UNGRADED


def _height(rows: int) -> int:
    return 110 + _ROW_PX * rows
