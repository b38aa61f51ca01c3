"""`llmtune train`: fine-tune the base model on pairs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from llmtune.cli import options

if TYPE_CHECKING:
    from datagen.pairs import Pair
    from llmtune.knobs.space import KnobSpace


def train(
    data: Annotated[
        list[Path], typer.Argument(help="Folders that `llmtune datagen` wrote, or pair files.")
    ],
    out: Annotated[Path, typer.Option(help="Folder for the adapter.")],
    base: options.Base = None,
    epochs: Annotated[int, typer.Option(min=1, help="Passes over the pairs.")] = 3,
    rank: Annotated[int, typer.Option(min=1, help="Rank of the LoRA layers.")] = 16,
    learning_rate: Annotated[float, typer.Option(help="The highest learning rate.")] = 5e-4,
    seed: options.Seed = 0,
    json: options.Json = False,
) -> None:
    """Train a LoRA adapter; stopped and called again, it goes on from its last checkpoint."""
    from dataclasses import asdict

    from llmtune.cli.output import print_json, writable
    from llmtune.cli.progress import Reporter
    from llmtune.model.checkpoint import find_base_model
    from llmtune.model.train import TrainProgress, TrainSettings, train_adapter

    settings = TrainSettings(epochs=epochs, rank=rank, learning_rate=learning_rate, seed=seed)
    pairs, held_out = read_sides(data)
    writable(out)
    reporter = Reporter(quiet=json)
    model = find_base_model(base, progress=reporter.say)
    with reporter.bar("Training") as advance:

        def progress(at: TrainProgress) -> None:
            doing = f"step {at.step} of {at.steps}, loss {at.loss:.3f}"
            advance(f"{doing}, {at.tokens_per_second:.0f} tokens/s", at.step / at.steps)
            if at.held_out is not None:
                reporter.say(
                    f"step {at.step}: held out, loss {at.held_out.nll:.3f}, "
                    f"accuracy {at.held_out.accuracy:.3f} "
                    f"({at.held_out.changed_accuracy:.3f} where a knob changes)"
                )

        card = train_adapter(
            model,
            space_of(pairs),
            pairs,
            out,
            held_out=held_out,
            settings=settings,
            progress=progress,
        )
    if json:
        print_json(asdict(card))
    else:
        reporter.say(f"The adapter is in {out}; its card holds the held-out scores.")


def read_sides(paths: list[Path]) -> tuple[list[Pair], list[Pair]]:
    """Training and held-out pairs of folders and files, told apart by their metadata."""
    from datagen.pairs import HELD_OUT_FILE, TRAIN_FILE, read_pairs

    files = [path / name for path in paths if path.is_dir() for name in (TRAIN_FILE, HELD_OUT_FILE)]
    pairs = [
        pair
        for path in [*files, *(p for p in paths if not p.is_dir())]
        for pair in read_pairs(path)
    ]
    held_out = [pair for pair in pairs if pair.metadata.get("split") == "held_out"]
    return [pair for pair in pairs if pair.metadata.get("split") != "held_out"], held_out


def space_of(pairs: list[Pair]) -> KnobSpace:
    """The knob space that the completions name: their knobs, on any hardware.

    Raises:
        DatasetError: the pairs were made with another knob catalogue.
    """
    from datagen.pairs import knobs_of
    from llmtune.errors import DatasetError
    from llmtune.knobs.catalogue import load_catalogue
    from llmtune.knobs.hardware import Hardware
    from llmtune.knobs.space import resolve_space

    catalogue, facts = load_catalogue(), pairs[0].metadata
    if any(pair.metadata["catalogue_hash"] != catalogue.hash for pair in pairs):
        raise DatasetError(
            "the pairs were made with another knob catalogue; run `llmtune datagen` again"
        )
    hardware = Hardware(facts["cores"], facts["memory"])
    return resolve_space(catalogue, facts["server_version"], hardware, names=knobs_of(pairs[0]))
