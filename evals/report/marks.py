# pyright: basic
"""What the plots of a page share: colours, and intervals as bars.

Colours are Okabe and Ito's, told apart with any colour vision.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import plotly.graph_objects as go

from evals.statistics import Interval

BLUE, ORANGE, GREEN, RED, PINK, SKY, GREY = (
    "#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#56B4E9", "#999999",
)  # fmt: skip
SIDES = (BLUE, ORANGE)
SHARE = {"range": [-0.02, 1.02], "tickformat": ".0%"}

Drawn = tuple[str, str, str, go.Figure]
"""Id, title, what to see in it, and the plot."""


def bars(points: Sequence[tuple[float, Interval]], **style: Any) -> Mapping[str, Any]:
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


def line(
    points: Sequence[tuple[float, float, Interval]], *, name: str, colour: str, hover: str, **style: Any
) -> go.Scatter:
    """Join points of x, mean and interval; `hover` is Plotly's template of what to say at one."""
    return go.Scatter(
        name=name,
        mode="lines+markers",
        x=[x for x, _, _ in points],
        y=[mean for _, mean, _ in points],
        error_y=bars([(mean, interval) for _, mean, interval in points]),
        hovertemplate=f"{hover}<extra></extra>",
        cliponaxis=False,  # a point on the axis is whole
        **{"marker": {"color": colour, "size": 8}, "line": {"color": colour, "width": 2}, **style},
    )
