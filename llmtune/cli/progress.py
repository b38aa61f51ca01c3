"""Progress on the terminal: what is being done, how far it is, how long it will take."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeAlias

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    SpinnerColumn,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

Advance: TypeAlias = Callable[[str, float], None]
"""Called with what is being done and the fraction done so far, 0 to 1."""


class Reporter:
    """Writes to standard error only, so that standard output stays the result's."""

    def __init__(self, *, quiet: bool = False) -> None:
        self.console = Console(stderr=True, quiet=quiet)

    def say(self, text: str) -> None:
        """One line for people; it may hold Rich's markup."""
        self.console.print(text)

    @contextmanager
    def bar(self, title: str) -> Iterator[Advance]:
        """A bar with the time left; gone when the work is done."""
        columns = (
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(),
            TaskProgressColumn(),
            TextColumn("elapsed"),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
        )
        with Progress(*columns, console=self.console, transient=True) as progress:
            task = progress.add_task(title, total=1.0)

            def advance(doing: str, fraction: float) -> None:
                progress.update(task, description=f"{title}: {doing}", completed=fraction)

            yield advance

    @contextmanager
    def loading(self, name: str) -> Iterator[Advance]:
        """A bar for loading a data set."""
        with self.bar(f"Loading {name}") as advance:
            yield advance
