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

SPEED_PERIOD_S = 86400.0
"""The time left is told from the speed over all of the work: one step, a trial
say, may take minutes."""


class Reporter:
    """Writes to standard error only, so that standard output stays the result's."""

    def __init__(self, *, quiet: bool = False) -> None:
        self.console = Console(stderr=True, quiet=quiet)

    def say(self, text: str) -> None:
        """One line for people; it may hold Rich's markup."""
        self.console.print(text, soft_wrap=True, highlight=False)

    def insist(self, text: str) -> None:
        """As `say`, and even when quiet."""
        Console(stderr=True).print(text, soft_wrap=True, highlight=False)

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
        with Progress(
            *columns,
            console=self.console,
            transient=True,
            speed_estimate_period=SPEED_PERIOD_S,
            disable=not self.console.is_terminal,
        ) as progress:
            task = progress.add_task(title, total=1.0)

            def advance(doing: str, fraction: float) -> None:
                if fraction < progress.tasks[0].completed:
                    progress.reset(task, total=1.0)
                progress.update(task, description=f"{title}: {doing}", completed=fraction)

            yield advance

    @contextmanager
    def resumable(self, how: str) -> Iterator[None]:
        """If the work inside is interrupted, say how to go on; even when quiet."""
        try:
            yield
        except KeyboardInterrupt:
            self.hint(how)
            raise

    def hint(self, how: str) -> None:
        """Say how to go on after an end that was too early; even when quiet."""
        self.insist(f"Nothing finished is lost. Continue with: [bold]{how}[/bold]")
