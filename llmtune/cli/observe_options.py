"""The options of `llmtune tune --observe`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import typer

from llmtune.cli.options import checked
from llmtune.errors import UsageError
from llmtune.units import parse_duration

OBSERVING = "Observing"


def parse_percent(text: str) -> float:
    """The share that `10%` means; the sign may be left out.

    Raises:
        UsageError: it is no number above 0.
    """
    try:
        percent = float(text.strip().removesuffix("%"))
    except ValueError:
        percent = -1.0
    if not 0 < percent < float("inf"):
        raise UsageError(f"{text!r} is no percentage above 0, such as 10%")
    return percent / 100


@dataclass(frozen=True)
class ObserveOptions:
    """Whether and how a live server's own traffic is measured, as the user wrote it."""

    observe: Annotated[
        bool,
        typer.Option(
            "--observe",
            rich_help_panel=OBSERVING,
            help="Run nothing. Change a live server's settings for all its sessions, without a "
            "restart, and measure its own traffic by pg_stat_statements.",
        ),
    ] = False
    window: Annotated[
        str | None,
        typer.Option(
            callback=checked(parse_duration),
            metavar="DURATION",
            rich_help_panel=OBSERVING,
            show_default="60s",
            help="How long the traffic is watched for one trial.",
        ),
    ] = None
    settle: Annotated[
        str | None,
        typer.Option(
            callback=checked(parse_duration),
            metavar="DURATION",
            rich_help_panel=OBSERVING,
            show_default="10s",
            help="How long to wait after each change of settings, and after a roll-back.",
        ),
    ] = None
    min_calls: Annotated[
        int | None,
        typer.Option(
            min=1,
            rich_help_panel=OBSERVING,
            show_default="50",
            help="Calls of statements that a window must see. With fewer it goes on, up to four "
            "times as long.",
        ),
    ] = None
    rollback_at: Annotated[
        str | None,
        typer.Option(
            callback=checked(parse_percent),
            metavar="PERCENT",
            rich_help_panel=OBSERVING,
            show_default="10%",
            help="Put the original settings back at once when statements take this much longer "
            "than with them.",
        ),
    ] = None
    baseline_every: Annotated[
        int | None,
        typer.Option(
            min=1,
            rich_help_panel=OBSERVING,
            show_default="4",
            help="Watch the original settings again after this many windows, as the traffic "
            "itself changes.",
        ),
    ] = None
