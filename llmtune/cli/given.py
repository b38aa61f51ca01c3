"""Which options the user gave, so that one that would not be looked at is refused."""

from __future__ import annotations

from collections.abc import Container

import typer

from llmtune.errors import UsageError


def given(context: typer.Context) -> tuple[str, ...]:
    """The names of the options that are on the command line, in the order of the help."""
    return tuple(
        one.name
        for one in context.command.params
        if one.name is not None and _on_the_command_line(context, one.name)
    )


def refuse(context: typer.Context, names: Container[str], why: str) -> None:
    """Refuse options that mean nothing here.

    Raises:
        UsageError: some of them were given.
    """
    useless = [flag(name) for name in given(context) if name in names]
    if useless:
        raise UsageError(f"leave out {', '.join(useless)}: {why}")


def flag(name: str) -> str:
    """An option as the user writes it."""
    return f"--{name.replace('_', '-')}"


def _on_the_command_line(context: typer.Context, name: str) -> bool:
    source = context.get_parameter_source(name)
    return source is not None and source.name == "COMMANDLINE"
