# pyright: basic
"""The plots of a page, as Plotly figures; plotly ships no complete types, so this is checked loosely.

Colours are Okabe and Ito's, told apart with any colour vision. Text and grid lines have
none of their own: the page gives them those of its theme.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Any

import plotly.graph_objects as go

from evals.compare import Comparison, compare
from evals.grade import Graded, main_component
from evals.report.content import Side
from evals.results import ALL
from evals.statistics import Estimate, Interval, wilson
from reward_client.api import Score

_BLUE, _ORANGE, _GREEN, _RED, _PINK, _SKY, _GREY = (
    "#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#56B4E9", "#999999",
)  # fmt: skip
_SIDES = (_BLUE, _ORANGE)
_UNGRADED = "UNGRADED"
_VERDICTS = {
    "CORRECT": _GREEN, "QUALITY": _SKY, "PARTIAL": "#7fc7b0", "INCORRECT": _RED, "FORMAT_INVALID": _ORANGE,
    "NO_ANSWER": "#b8860b", "TOO_LONG": "#8c6d31", "TIME_LIMIT": _PINK, "MEMORY_LIMIT": "#9e5a85",
    "OUTPUT_LIMIT": "#7a4468", "RUNTIME_ERROR": "#a23b00", "REJECTED": "#5a0f0f", _UNGRADED: _GREY,
}  # fmt: skip
_LENGTH_BINS = 8
_ROW_PX = 34


def figures(sides: Sequence[Side], *, seed: int = 0) -> list[Mapping[str, Any]]:
    """Return the plots of a page: id, title, what to see in it, and the figure as JSON values."""
    drawn = [_by_domain(sides)]
    if len(sides) == 2:
        drawn.append(_differences(compare(sides[0].graded, sides[1].graded, seed=seed)))
    drawn += [_verdicts(sides), _lengths(sides)]
    if any(side.results.domains[ALL].pass_at for side in sides):
        drawn.append(_pass_at(sides))
    return [
        {"id": name, "title": title, "caption": caption, "figure": figure.to_plotly_json()}
        for name, title, caption, figure in drawn
    ]


Drawn = tuple[str, str, str, go.Figure]


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
                colour=_SIDES[index],
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
        error_x=_bars([(estimate.mean, estimate.interval) for _, estimate, _ in rows]),
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
    colours = [_GREEN if row.interval.low > 0 else _RED if row.interval.high < 0 else _GREY for row in rows]
    figure = go.Figure(
        go.Scatter(
            mode="markers",
            x=[row.difference for row in rows],
            y=names,
            error_x=_bars([(row.difference, row.interval) for row in rows], color=_GREY),
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
    caption = "Paired by prompt, with the 95 % bootstrap interval; grey where it holds no change."
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
        xaxis={"range": [0, 1], "tickformat": ".0%", "title": "share of completions"},
        height=_height(len(rows)),
        showlegend=True,
    )
    return "verdicts", "Verdicts", "What became of the completions; ungraded ones are in no accuracy.", figure


def _verdict(graded: Graded) -> str:
    result = graded.outcome.result
    return result.verdict if isinstance(result, Score) else _UNGRADED


def _lengths(sides: Sequence[Side]) -> Drawn:
    figure = go.Figure()
    for index, side in enumerate(sides):
        bins = _length_bins(side.graded)
        figure.add_trace(
            go.Scatter(
                name=side.label,
                mode="lines+markers",
                x=[length for length, _, _ in bins],
                y=[mean for _, mean, _ in bins],
                error_y=_bars([(mean, wilson(mean, n)) for _, mean, n in bins]),
                marker={"color": _SIDES[index], "size": 8},
                line={"color": _SIDES[index], "width": 1},
                customdata=[n for _, _, n in bins],
                hovertemplate="about %{x:.0f} characters: %{y:.1%} of %{customdata}<extra></extra>",
            )
        )
    figure.update_layout(
        xaxis={"title": "characters of the completion", "rangemode": "tozero"},
        yaxis={"range": [-0.02, 1.02], "tickformat": ".0%", "title": "accuracy"},
        height=300,
        showlegend=len(sides) > 1,
    )
    caption = (
        f"Completions in up to {_LENGTH_BINS} bins of equal number by length, with Wilson's 95 % interval."
    )
    return "lengths", "Accuracy by length", caption, figure


def _length_bins(graded: Sequence[Graded]) -> list[tuple[float, float, int]]:
    """Return mean length, mean accuracy and number of each bin."""
    scored = [(item, item.score) for item in graded]
    pairs = sorted(
        (len(item.completion), main_component(score)) for item, score in scored if score is not None
    )
    size = max(1, -(-len(pairs) // _LENGTH_BINS))
    chunks = [pairs[start : start + size] for start in range(0, len(pairs), size)]
    return [
        (fmean(length for length, _ in chunk), fmean(value for _, value in chunk), len(chunk))
        for chunk in chunks
    ]


def _pass_at(sides: Sequence[Side]) -> Drawn:
    figure = go.Figure()
    for index, side in enumerate(sides):
        found = side.results.domains[ALL].pass_at
        figure.add_trace(
            go.Scatter(
                name=side.label,
                mode="lines+markers",
                x=list(found),
                y=[estimate.mean for estimate in found.values()],
                error_y=_bars([(estimate.mean, estimate.interval) for estimate in found.values()]),
                marker={"color": _SIDES[index], "size": 8},
                line={"color": _SIDES[index]},
                hovertemplate="pass@%{x}: %{y:.1%}<extra></extra>",
            )
        )
    figure.update_layout(
        xaxis={"title": "k", "type": "log", "dtick": 0.30103},
        yaxis={"range": [-0.02, 1.02], "tickformat": ".0%", "title": "pass@k"},
        height=300,
        showlegend=len(sides) > 1,
    )
    caption = "Chance that one of k completions is right, where there is a right answer (unbiased estimate)."
    return "pass-at", "pass@k", caption, figure


def _bars(points: Sequence[tuple[float, Interval]], **style: Any) -> Mapping[str, Any]:
    """Draw intervals around means as error bars without caps."""
    return {
        "type": "data",
        "symmetric": False,
        "array": [interval.high - mean for mean, interval in points],
        "arrayminus": [mean - interval.low for mean, interval in points],
        "thickness": 2,
        "width": 0,
        **style,
    }


def _height(rows: int) -> int:
    return 110 + _ROW_PX * rows
