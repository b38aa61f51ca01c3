"""Charts as PNG for files and as inline SVG for pages that may be dark or light.

Colours are named once in `PALETTE`. In an SVG each becomes a CSS variable with
the light colour as its fallback, so that one picture serves both schemes.
Matplotlib is imported only when something is drawn: it costs half a second.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from io import BytesIO, StringIO
from typing import TYPE_CHECKING, Any

from llmtune.report.comparison import Band
from llmtune.report.curve import Axis, Curve, Point
from llmtune.report.wording import baseline_text
from llmtune.trial import TrialStatus
from workloads.objective import Direction, Objective

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PALETTE = {
    "ink": "#1f2430",
    "muted": "#6b7280",
    "rule": "#d8dce3",
    "default": "#64748a",
    "rules": "#c2660b",
    "model": "#7c3aee",
    "optimizer": "#0b8577",
    "failed": "#c92a2b",
    "blue": "#1e66d0",
    "olive": "#7a7d12",
    "rose": "#c2408f",
    "brown": "#7d5230",
}
"""Light colours by name; no two may be equal, for they are found again in the SVG."""

_SIZE = re.compile(r'(?:width|height)="[^"]*" ?')
ARM_COLOURS = ("default", "model", "optimizer", "rules", "failed", "blue", "olive", "rose", "brown")
OTHER_STARTS = ("nearest", "constant", "surrogate", "file", "prior")
"""Sources of warm starts without a colour of their own."""
ARM_DASHES = ("solid", "dash", "dot", "dashdot")
"""Lines of the arms that find every colour taken; the names are Plotly's."""


def session_chart(curve: Curve, title: str, baseline: str) -> Figure:
    """Best so far over trials and over wall time, with every trial marked.

    Colour tells who proposed a trial, shape how it ended; trials without a
    value stand as crosses on the upper edge, so that none is hidden. `baseline` is
    the result's.
    """
    figure, (trials, seconds) = _panels(title, curve.objective)
    unit, scale = _time_unit(curve.points[-1].seconds if curve.points else 0.0)
    _draw_session(trials, curve, Axis.TRIALS, 1.0, baseline)
    _draw_session(seconds, curve, Axis.SECONDS, scale, baseline)
    trials.set_xlabel("trials")
    seconds.set_xlabel(f"wall time, {unit}; suggestions and restarts included")
    _fit_values(trials, [p.value for p in curve.points if p.value is not None])
    _legend(figure, trials)
    return figure


def comparison_chart(
    arms: Sequence[tuple[str, Band, Band]], objective: Objective, title: str
) -> Figure:
    """Median best so far with its band, for each (label, over trials, over seconds)."""
    figure, (trials, seconds) = _panels(title, objective)
    longest = max((over.positions[-1] for _, _, over in arms if over.positions), default=0.0)
    unit, scale = _time_unit(longest)
    for index, (label, over_trials, over_seconds) in enumerate(arms):
        look = arm_look(index)
        _draw_band(trials, over_trials, label, look, 1.0)
        _draw_band(seconds, over_seconds, label, look, scale)
    trials.set_xlabel("trials")
    seconds.set_xlabel(f"wall time, {unit}; suggestions and restarts included")
    _fit_values(trials, [v for _, over, _ in arms for v in over.median if v is not None])
    _legend(figure, trials)
    return figure


def png(figure: Figure) -> bytes:
    """The chart as a PNG file on white."""
    buffer = BytesIO()
    figure.savefig(buffer, format="png", dpi=150, facecolor="white")
    return buffer.getvalue()


def svg_file(figure: Figure) -> str:
    """The chart as an SVG file on white. It depends on the chart alone: no date, no random ids."""
    return _svg_text(figure, facecolor="white")


def svg(figure: Figure, label: str) -> str:
    """The chart as an `<svg>` element to put into a page; `label` is read to the blind.

    The bytes depend on the chart alone, as those of `svg_file`.
    """
    text = _svg_text(figure, transparent=True)
    text = text[text.index("<svg ") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = re.sub(r"(font: [\d.]+px )'[^;\"]*", r"\1system-ui, sans-serif", text)
    for name, colour in PALETTE.items():
        text = text.replace(colour, f"var(--{name}, {colour})")
    quoted = label.replace("&", "&amp;").replace("<", "&lt;").replace('"', "&quot;")
    text = re.sub(r"(?<=<svg )([^>]*)", lambda tag: _SIZE.sub("", tag[0]), text, count=1)
    return text.replace("<svg ", f'<svg role="img" aria-label="{quoted}" ', 1)


def _svg_text(figure: Figure, **look: Any) -> str:
    from matplotlib import rc_context

    buffer = StringIO()
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": "llmtune"}):
        figure.savefig(buffer, format="svg", metadata={"Date": None}, **look)
    return buffer.getvalue()


def source_colour(source: str) -> str:
    """The palette's name for a trial's source; every optimizer shares one, as other starts do."""
    if source in OTHER_STARTS:
        return "blue"
    return source if source in ("default", "rules", "model") else "optimizer"


def _panels(title: str, objective: Objective) -> tuple[Figure, tuple[Axes, Axes]]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 4.4), layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True)
    figure.suptitle(title, color=PALETTE["ink"], fontsize=12, fontweight="bold")
    better = "lower" if objective.direction is Direction.MINIMIZE else "higher"
    left.set_ylabel(f"{objective.name}, {objective.unit} ({better} is better)")
    for axes in (left, right):
        _dress(axes)
    return figure, (left, right)


def _dress(axes: Axes) -> None:
    from matplotlib.ticker import MaxNLocator

    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.grid(visible=True, color=PALETTE["rule"], linewidth=0.6)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(PALETTE["muted"])
    axes.tick_params(colors=PALETTE["muted"], labelsize=9, which="both")
    axes.xaxis.label.set_color(PALETTE["ink"])
    axes.yaxis.label.set_color(PALETTE["ink"])


def _draw_session(axes: Axes, curve: Curve, axis: Axis, scale: float, baseline: str) -> None:
    places = [point.at(axis) / scale for point in curve.points]
    best = [float("nan") if value is None else value for value in curve.best()]
    axes.step(places, best, where="post", color=PALETTE["ink"], linewidth=2, label="best so far")
    default = curve.default
    if default is not None and default.value is not None:
        axes.axhline(
            default.value,
            color=PALETTE["default"],
            linewidth=1,
            linestyle="--",
            label=f"value under {baseline_text(baseline)}",
        )
    for place, point in zip(places, curve.points, strict=True):
        _mark(axes, place, point)


def _mark(axes: Axes, place: float, point: Point) -> None:
    colour = PALETTE[source_colour(point.source)]
    if point.value is None:
        edge = axes.get_xaxis_transform()
        axes.plot(
            [place],
            [0.985],
            "x",
            color=PALETTE["failed"],
            transform=edge,
            clip_on=False,
            markersize=8,
            markeredgewidth=2,
            label="no value: crashed, failed, rejected or timed out",
        )
    elif point.status is TrialStatus.CAPPED:
        axes.plot(
            [place],
            [point.value],
            "^",
            color=colour,
            markerfacecolor="none",
            markersize=6,
            label=f"{point.source}, stopped at the cap",
        )
    else:
        axes.plot([place], [point.value], "o", color=colour, markersize=6, label=point.source)


def arm_look(index: int) -> tuple[str, str]:
    """Colour and dash of an arm by its place; different for the first 36."""
    round_, place = divmod(index, len(ARM_COLOURS))
    return PALETTE[ARM_COLOURS[place]], ARM_DASHES[round_ % len(ARM_DASHES)]


_MATPLOTLIB_DASHES = {"solid": "-", "dash": "--", "dot": ":", "dashdot": "-."}


def _draw_band(axes: Axes, over: Band, label: str, look: tuple[str, str], scale: float) -> None:
    colour, dash = look
    places = [position / scale for position in over.positions]
    median, low, high = (
        [float("nan") if value is None else value for value in row]
        for row in (over.median, over.low, over.high)
    )
    style = _MATPLOTLIB_DASHES[dash]
    axes.step(places, median, style, where="post", color=colour, linewidth=2, label=label)
    axes.fill_between(places, low, high, step="post", color=colour, alpha=0.18, linewidth=0)


def _fit_values(axes: Axes, values: list[float]) -> None:
    """A logarithmic axis when the values span more than fourfold; plain numbers on it."""
    from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

    if not values or min(values) <= 0 or max(values) < 4 * min(values):
        return
    axes.set_yscale("log")
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axes.yaxis.set_minor_formatter(NullFormatter())


def _legend(figure: Figure, axes: Axes) -> None:
    handles, labels = axes.get_legend_handles_labels()
    first = dict(zip(reversed(labels), reversed(handles), strict=True))
    figure.legend(
        [first[label] for label in dict.fromkeys(labels)],
        list(dict.fromkeys(labels)),
        loc="outside lower center",
        ncols=4,
        frameon=False,
        fontsize=9,
        labelcolor=PALETTE["ink"],
    )


def _time_unit(seconds: float) -> tuple[str, float]:
    """The unit that suits a span, and its length in seconds."""
    for unit, length in (("s", 1.0), ("min", 60.0)):
        if seconds < 120 * length:
            return unit, length
    return "h", 3600.0
