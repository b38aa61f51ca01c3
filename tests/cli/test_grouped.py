"""A command's groups of options look to users like options of its own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import pytest
import typer
from typer.testing import CliRunner

from llmtune.cli.grouped import grouped


@dataclass(frozen=True)
class Place:
    host: Annotated[str, typer.Option(help="Where it is.", rich_help_panel="Place")]
    port: Annotated[int, typer.Option(min=1)] = 5432


app = typer.Typer()


@app.command()
@grouped
def show(name: str, place: Place, loud: Annotated[bool, typer.Option("--loud")] = False) -> None:
    """Show it."""
    typer.echo(f"{name} {place} {loud}")


def run(*arguments: str) -> tuple[int, str]:
    done = CliRunner().invoke(app, list(arguments))
    return done.exit_code, done.output


def test_the_fields_are_options_and_arrive_as_one_value() -> None:
    assert run("x", "--host", "here", "--loud") == (0, f"x {Place('here')} True\n")
    assert run("x", "--host", "here", "--port", "7") == (0, f"x {Place('here', 7)} False\n")


@pytest.mark.parametrize(
    ("arguments", "named"), [(["x"], "--host"), (["x", "--host", "h", "--port", "0"], "--port")]
)
def test_a_wrong_field_is_named_as_an_option(arguments: list[str], named: str) -> None:
    code, output = run(*arguments)
    assert (code, named in output) == (2, True)


def test_the_help_has_the_fields_and_their_panel() -> None:
    _, output = run("--help")
    assert all(word in output for word in ("--host", "Where it is.", "--port", "5432", "Place"))
