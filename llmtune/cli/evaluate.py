"""`llmtune evaluate`: how well an adapter predicts held-out labels."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from llmtune.cli import options

if TYPE_CHECKING:
    from llmtune.model.answers import Answers
    from llmtune.model.evaluate import Evaluation
    from llmtune.model.held_out import HeldOut

OWN = "own_"
"""What the names of scores after the model's own labels begin with."""


def evaluate(
    data: Annotated[
        list[Path], typer.Argument(help="Folders that `llmtune datagen` wrote, or pair files.")
    ],
    adapter: options.Adapter = None,
    base: options.Base = None,
    answers: Annotated[
        int,
        typer.Option(
            min=0,
            help="Held-out prompts that both models also answer as `suggest` does, each label "
            "after their own ones; some seconds an answer on a processor. 0: none.",
        ),
    ] = 12,
    json: options.Json = False,
) -> None:
    """Score an adapter and the untuned base model on held-out pairs.

    Each label is predicted given the true labels before it, which a suggestion has not;
    so some of the prompts are answered as by `suggest` too. Beside both stands what saying
    `default` for every knob would score.
    """
    from datagen.pair_files import read_sides, space_of
    from llmtune.cli.output import print_json, print_table, print_text
    from llmtune.cli.progress import Reporter
    from llmtune.errors import DatasetError
    from llmtune.model.adapter import DEFAULT_ADAPTER, read_card
    from llmtune.model.answers import answer_held_out
    from llmtune.model.checkpoint import find_base_model
    from llmtune.model.evaluate import evaluate_adapter
    from llmtune.model.held_out import held_out_for
    from llmtune.report.table import Table

    pairs = read_sides(data)[1]
    if not pairs:
        raise DatasetError("no held-out pairs in the given files; `llmtune datagen` writes them")
    space, folder, reporter = space_of(pairs), adapter or DEFAULT_ADAPTER, Reporter(quiet=json)
    card = read_card(folder)  # before the base model, which may have to be converted first
    if not card.templates:
        reporter.insist(
            "The adapter does not say which query templates it was trained on. If these pairs are "
            "of the same ones, the scores are too good."
        )
    model = find_base_model(base, progress=reporter.say)
    held = held_out_for(model, folder, space, pairs)
    reporter.say(f"Scoring {len(held.pairs)} held-out pairs ...")
    found = evaluate_adapter(model, folder, held)
    with reporter.bar("Answering") as advance:
        own = answer_held_out(model, folder, held, answers, advance) if answers else None
    if json:
        print_json(_facts(found, own, held))
        return
    rows = (*_rows(found), *(_rows(own, OWN) if own else ()))
    print_table(Table(("score", "tuned", "base", "all default"), rows))
    for line in _notes(own, held):
        print_text(line)


def _facts(found: Evaluation, own: Answers | None, held: HeldOut) -> dict[str, Any]:
    """Everything for programs."""
    from dataclasses import asdict

    return {
        **found.to_json(),
        "all_default": {"accuracy": found.tuned.default_accuracy},
        "answers": None
        if own is None
        else {**asdict(own), "all_default": {"accuracy": own.tuned.default_accuracy}},
        "unknown_knobs": list(held.unknown),
        "dropped_labels": held.dropped,
    }


def _rows(both: Evaluation | Answers, prefix: str = "") -> Iterator[tuple[str, ...]]:
    """Each score of both models, and of saying `default` for every knob."""
    from dataclasses import asdict

    tuned, base = asdict(both.tuned), asdict(both.base)
    control = {**tuned, "accuracy": both.tuned.default_accuracy, "changed_accuracy": 0.0}
    control.pop("nll", None)  # it names labels, and gives none a probability
    for name in tuned:
        values = (one.get(name) for one in (tuned, base, control))
        yield (f"{prefix}{name}", *("" if one is None else f"{one:.4g}" for one in values))


def _notes(own: Answers | None, held: HeldOut) -> Iterator[str]:
    """What the scores are of."""
    yield "accuracy: of labels given the true ones before them, which `suggest` does not have"
    if own:
        yield (
            f"{OWN}accuracy: of labels after the model's own ones, as `suggest` decodes them, for "
            f"{own.tuned.prompts} of {own.different} different prompts"
        )
    if held.dropped:
        yield (
            f"left out: {held.dropped} labels of knobs that the adapter was not trained on and "
            f"`suggest` never asks about: {', '.join(held.unknown)}"
        )
