"""Results on standard output: JSON for programs, tables for people."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from typing import Any

import typer
from rich.console import Console
from rich.table import Table as RichTable
from rich.text import Text

from llmtune.report.table import Table

FILE_WIDTH = 160
"""Columns of a table that goes to a file or a pipe, where no terminal says how many fit."""


def print_json(result: Mapping[str, Any]) -> None:
    """The result alone, as one JSON object."""
    typer.echo(json.dumps(result, indent=2, allow_nan=False))


def print_text(text: str, style: str = "") -> None:
    """A line for people, taken as it is: brackets are no markup."""
    _console().print(Text(text, style), soft_wrap=True)


def print_table(table: Table) -> None:
    """A table of the report as the terminal shows it."""
    drawn = RichTable(show_edge=False, pad_edge=False, header_style="bold")
    for column in table.columns:
        drawn.add_column(column, overflow="fold")
    for row in table.rows:
        drawn.add_row(*map(Text, row))
    _console().print(drawn)


def _console() -> Console:
    return Console(width=None if sys.stdout.isatty() else FILE_WIDTH)
