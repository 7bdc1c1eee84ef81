# pyright: basic
"""The plots of a page that are curves: accuracy over length, pass@k over k, held-out prompts over steps."""

from collections.abc import Sequence
from statistics import fmean, median

import plotly.graph_objects as go

from evals.grade import Graded, main_component
from evals.held_out import Point, of_domain
from evals.report.content import Side
from evals.report.marks import BLUE, GREEN, GREY, ORANGE, PINK, RED, SHARE, SIDES, SKY, Drawn, line
from evals.results import ALL
from evals.statistics import wilson

_LENGTH_BINS = 8
_LOG_BEYOND = 10  # times between the shortest and the longest bin
_DOMAINS = (ORANGE, GREEN, RED, PINK, SKY, "#8c6d31", "#7a4468", GREY)


def lengths(sides: Sequence[Side]) -> Drawn:
    """Draw accuracy by length of the completion."""
    figure = go.Figure()
    spread = 1.0
    for index, side in enumerate(sides):
        bins = length_bins(side.graded)
        if bins:
            spread = max(spread, bins[-1][0] / bins[0][0])
        figure.add_trace(
            line(
                [(length, mean, wilson(mean, n)) for length, mean, n in bins],
                name=side.label,
                colour=SIDES[index],
                hover="about %{x:.0f} characters: %{y:.1%} of %{customdata}",
                customdata=[n for _, _, n in bins],
            )
        )
    scale = {"type": "log", "dtick": "D2"} if spread > _LOG_BEYOND else {"rangemode": "tozero"}
    figure.update_layout(
        xaxis={"title": "characters of the completion", **scale},
        yaxis={**SHARE, "title": "accuracy"},
        height=300,
        showlegend=len(sides) > 1,
    )
    caption = (
        f"Completions in up to {_LENGTH_BINS} bins of equal number by length, with Wilson's 95 % interval."
    )
    return "lengths", "Accuracy by length", caption, figure


def length_bins(graded: Sequence[Graded]) -> list[tuple[float, float, int]]:
    """Return median length, mean accuracy and number of each bin."""
    scored = [(item, item.score) for item in graded]
    pairs = sorted(  # an empty completion has a place on a logarithmic axis too
        (max(1, len(item.completion)), main_component(score)) for item, score in scored if score is not None
    )
    size = max(1, -(-len(pairs) // _LENGTH_BINS))
    chunks = [pairs[start : start + size] for start in range(0, len(pairs), size)]
    return [
        (float(median(length for length, _ in chunk)), fmean(value for _, value in chunk), len(chunk))
        for chunk in chunks
    ]


def pass_at(sides: Sequence[Side]) -> Drawn:
    """Draw pass@k over all domains; of one evaluation also by domain."""
    figure = go.Figure()
    for index, side in enumerate(sides):
        named = [name for name, domain in side.results.domains.items() if domain.pass_at and name != ALL]
        for at, name in enumerate(named if len(sides) == 1 else []):
            figure.add_trace(_chances(side, name, label=name, colour=_DOMAINS[at % len(_DOMAINS)], width=1))
        label = side.label if len(sides) > 1 else ALL
        figure.add_trace(_chances(side, ALL, label=label, colour=SIDES[index], width=3))
    ks = sorted({k for side in sides for domain in side.results.domains.values() for k in domain.pass_at})
    figure.update_layout(
        xaxis={"title": "k", "type": "log", "tickvals": ks, "ticktext": [str(k) for k in ks]},
        yaxis={**SHARE, "title": "pass@k"},
        height=300,
        showlegend=True,
    )
    caption = "Chance that one of k completions is right, where there is a right answer (unbiased estimate)."
    return "pass-at", "pass@k", caption, figure


def _chances(side: Side, domain: str, *, label: str, colour: str, width: int) -> go.Scatter:
    found = side.results.domains[domain].pass_at
    return line(
        [(k, estimate.mean, estimate.interval) for k, estimate in found.items()],
        name=label,
        colour=colour,
        hover=f"{label} pass@%{{x}}: %{{y:.1%}}",
        line={"color": colour, "width": width},
    )


def held_out(sides: Sequence[Side]) -> Drawn:
    """Draw what a run found on its held-out prompts while it trained; two sides of one run share a curve."""
    figure = go.Figure()
    curves = {side.label: side.held_out for side in sides if side.held_out}
    shared = len({tuple(points) for points in curves.values()}) == 1
    for index, (label, points) in enumerate(list(curves.items())[: 1 if shared else None]):
        whose = "" if shared else f"{label}: "
        colours = (BLUE, ORANGE) if shared else (SIDES[index], SIDES[index])
        figure.add_traces(_held_out_lines(of_domain(points, ALL), whose, colours))
        if shared:
            names = [name for name in dict.fromkeys(point.domain for point in points) if name != ALL]
            figure.add_traces(
                [
                    _rewards(
                        of_domain(points, name), name, _DOMAINS[at % len(_DOMAINS)], visible="legendonly"
                    )
                    for at, name in enumerate(names)
                ]
            )
    figure.update_layout(
        xaxis={"title": "step of training", "rangemode": "tozero"},
        yaxis=SHARE,
        height=320,
        showlegend=True,
    )
    caption = (
        "The run's own evaluations on prompts it does not train on, with 95 % intervals; "
        "names in the legend show and hide."
    )
    return "held-out", "Held-out prompts while training", caption, figure


def _held_out_lines(points: Sequence[Point], whose: str, colours: tuple[str, str]) -> list[go.Scatter]:
    greedy = line(
        [(point.step, point.greedy_accuracy, point.greedy_accuracy_interval) for point in points],
        name=f"{whose}greedy accuracy",
        colour=colours[1],
        hover=f"step %{{x}}: %{{y:.1%}} {whose}greedy accuracy",
        line={"color": colours[1], "width": 2, "dash": "dot"},
    )
    return [_rewards(points, f"{whose}sampled reward", colours[0]), greedy]


def _rewards(points: Sequence[Point], name: str, colour: str, **style: str) -> go.Scatter:
    return line(
        [(point.step, point.reward, point.reward_interval) for point in points],
        name=name,
        colour=colour,
        hover=f"step %{{x}}: %{{y:.1%}} {name}",
        **style,
    )
