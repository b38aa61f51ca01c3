"""Comparison curves to look into: one HTML file that loads nothing from anywhere.

Plotly is imported only when something is drawn, and its script is put into the file,
which makes that some five megabytes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from llmtune.report.chart import arm_look
from llmtune.report.comparison import Band
from llmtune.report.curve import Axis
from workloads.objective import Objective

AXES = {
    Axis.TRIALS: "trials",
    Axis.SECONDS: "wall time, s; suggestions and restarts included",
}


def comparison_html(
    arms: Sequence[tuple[str, Band, Band]], objective: Objective, title: str
) -> str:
    """Median best so far with its band, for each (label, over trials, over seconds)."""
    from plotly.subplots import make_subplots

    figure = make_subplots(1, 2, shared_yaxes=True, horizontal_spacing=0.04)
    for index, (label, over_trials, over_seconds) in enumerate(arms):
        look = arm_look(index)
        for column, over in enumerate((over_trials, over_seconds), start=1):
            traces = _traces(over, label, look, legend=column == 1)
            figure.add_traces(traces, 1, column)
            figure.update_xaxes(title_text=AXES[over.axis], row=1, col=column)
    figure.update_yaxes(title_text=f"{objective.name}, {objective.unit}", row=1, col=1)
    figure.update_layout(title_text=title, template="plotly_white", hovermode="x unified")
    html: str = figure.to_html(full_html=True, include_plotlyjs=True)
    return html


def _traces(over: Band, label: str, look: tuple[str, str], *, legend: bool) -> list[Any]:
    """The band's upper edge, its lower edge filled up to that, and the median."""
    from plotly.graph_objects import Scatter

    colour, dash = look
    line = {"color": colour, "dash": dash, "shape": "hv"}
    shared = {"x": over.positions, "legendgroup": label, "mode": "lines"}
    hidden = {"width": 0, "shape": "hv"}
    edge = {**shared, "line": hidden, "showlegend": False, "hoverinfo": "skip"}
    return [
        Scatter(y=over.high, **edge),
        Scatter(y=over.low, fill="tonexty", fillcolor=_clear(colour), **edge),
        Scatter(y=over.median, name=label, line=line, showlegend=legend, **shared),
    ]


def _clear(colour: str) -> str:
    """A colour such as `#0b8577`, made to be seen through."""
    red, green, blue = (int(colour[at : at + 2], 16) for at in (1, 3, 5))
    return f"rgba({red},{green},{blue},0.18)"
