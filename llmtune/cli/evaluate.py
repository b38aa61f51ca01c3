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

    from llmtune.cli.output import print_json, print_table
    from llmtune.cli.pair_files import read_sides, space_of
    from llmtune.cli.progress import Reporter
    from llmtune.errors import DatasetError
    from llmtune.model.adapter import DEFAULT_ADAPTER, read_card
    from llmtune.model.checkpoint import find_base_model
    from llmtune.model.evaluate import Scores, evaluate_adapter
    from llmtune.report.table import Table

    held_out = read_sides(data)[1]
    if not held_out:
        raise DatasetError("no held-out pairs in the given files; `llmtune datagen` writes them")
    space, folder, reporter = space_of(held_out), adapter or DEFAULT_ADAPTER, Reporter(quiet=json)
    card = read_card(folder)  # before the base model, which may have to be converted first
    if not card.templates:
        reporter.insist(
            "The adapter does not say which query templates it was trained on. If these pairs are "
            "of the same ones, the scores are too good."
        )
    model = find_base_model(base, progress=reporter.say)
    reporter.say(f"Scoring {len(held_out)} held-out pairs ...")
    found = evaluate_adapter(model, folder, space, held_out)
    if json:
        print_json(found.to_json())
        return
    tuned, untuned = asdict(found.tuned), asdict(found.base)
    rows = tuple(
        (field.name, f"{tuned[field.name]:.4g}", f"{untuned[field.name]:.4g}")
        for field in fields(Scores)
    )
    print_table(Table(("score", "tuned", "base"), rows))
