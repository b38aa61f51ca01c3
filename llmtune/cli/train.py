"""`llmtune train`: fine-tune the base model on pairs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from llmtune.cli import options

if TYPE_CHECKING:
    from llmtune.cli.progress import Advance, Reporter
    from llmtune.model.train import TrainProgress


def train(
    data: Annotated[list[Path], typer.Argument(help="Folders that `llmtune datagen` wrote.")],
    out: Annotated[Path, typer.Option(help="Folder for the adapter.")],
    base: options.Base = None,
    epochs: Annotated[int, typer.Option(min=1, help="Passes over the pairs.")] = 3,
    rank: Annotated[int, typer.Option(min=1, help="Rank of the LoRA layers.")] = 16,
    learning_rate: Annotated[
        float, typer.Option(help="The highest learning rate, above 0.")
    ] = 5e-4,
    seed: options.Seed = 0,
    json: options.Json = False,
) -> None:
    """Train a LoRA adapter. Stopped and called again, it continues from its last checkpoint."""
    from dataclasses import asdict

    from datagen.matrix_files import MATRIX_FOLDER, read_matrix
    from datagen.measurements import MEASUREMENTS_FILE, gather, write_measurements
    from datagen.pair_files import check_apart, read_sides, space_of
    from llmtune.cli.output import print_json, print_text
    from llmtune.cli.progress import Reporter
    from llmtune.model.checkpoint import find_base_model
    from llmtune.model.train import TrainSettings, train_adapter
    from llmtune.model.training_set import TRAINING_SET_FILE, write_training_set
    from llmtune.tuning.result_file import ready_folder

    settings = TrainSettings(epochs=epochs, rank=rank, learning_rate=learning_rate, seed=seed)
    pairs, held_out = read_sides(data)
    check_apart(pairs, held_out)
    space = space_of([*pairs, *held_out])
    measurements = gather([read_matrix(folder / MATRIX_FOLDER) for folder in data])
    ready_folder(out)

    def beside(folder: Path) -> None:
        write_measurements(folder / MEASUREMENTS_FILE, measurements)
        write_training_set(folder / TRAINING_SET_FILE, pairs)

    reporter = Reporter(quiet=json)
    model = find_base_model(base, progress=reporter.say)
    with reporter.resumable("the same `llmtune train`"), reporter.bar("Training") as advance:
        card = train_adapter(
            model,
            space,
            pairs,
            out,
            held_out=held_out,
            settings=settings,
            progress=_shown(reporter, advance),
            beside=beside,
        )
    if json:
        print_json(asdict(card))
    else:
        print_text(f"The adapter is in {out}; its card holds the held-out scores.")


def _shown(reporter: Reporter, advance: Advance) -> Callable[[TrainProgress], None]:
    """Every step on the bar; every held-out score on a line of its own."""

    def show(at: TrainProgress) -> None:
        doing = f"step {at.step} of {at.steps}, loss {at.loss:.3f}"
        advance(f"{doing}, {at.tokens_per_second:.0f} tokens/s", at.step / at.steps)
        if at.held_out is not None:
            reporter.say(
                f"step {at.step}: held out, loss {at.held_out.nll:.3f}, "
                f"accuracy {at.held_out.accuracy:.3f} "
                f"({at.held_out.changed_accuracy:.3f} where a knob changes)"
            )

    return show
