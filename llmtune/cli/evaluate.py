"""`llmtune evaluate`: how well an adapter predicts held-out labels."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from llmtune.cli import options


def evaluate(
    data: Annotated[
        list[Path], typer.Argument(help="Folders that `llmtune datagen` wrote, or pair files.")
    ],
    adapter: options.Adapter = None,
    base: options.Base = None,
    json: options.Json = False,
) -> None:
    """Score an adapter and the untuned base model on held-out pairs."""
    from dataclasses import asdict, fields

    from rich.console import Console

    from llmtune.cli.outcome import rich_table
    from llmtune.cli.output import print_json
    from llmtune.cli.progress import Reporter
    from llmtune.cli.train import read_sides, space_of
    from llmtune.errors import DatasetError
    from llmtune.model.adapter import DEFAULT_ADAPTER
    from llmtune.model.checkpoint import find_base_model
    from llmtune.model.evaluate import Scores, evaluate_adapter
    from llmtune.report.table import Table

    held_out = read_sides(data)[1]
    if not held_out:
        raise DatasetError("no held-out pairs in the given files; `llmtune datagen` writes them")
    reporter = Reporter(quiet=json)
    reporter.say(f"Scoring {len(held_out)} held-out pairs ...")
    model = find_base_model(base, progress=reporter.say)
    found = evaluate_adapter(model, adapter or DEFAULT_ADAPTER, space_of(held_out), held_out)
    if json:
        print_json(found.to_json())
        return
    tuned, untuned = asdict(found.tuned), asdict(found.base)
    rows = tuple(
        (field.name, f"{tuned[field.name]:.4g}", f"{untuned[field.name]:.4g}")
        for field in fields(Scores)
    )
    Console().print(rich_table(Table(("score", "tuned", "base"), rows)))
