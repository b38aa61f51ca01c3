"""Pairs from the files and folders that a user names."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from datagen.pairs import (
    HELD_OUT_FILE,
    TRAIN_FILE,
    Pair,
    knobs_of,
    read_pairs,
    shared_templates,
    templates_of,
)
from datagen.split import HELD_OUT, TRAIN
from llmtune.errors import DatasetError, UsageError
from llmtune.knobs.catalogue import load_catalogue
from llmtune.knobs.hardware import Hardware
from llmtune.knobs.space import KnobSpace, resolve_space
from llmtune.paths import is_file, is_folder

SERVER = ("server_version", "cores", "memory")
"""What a pair's metadata tell of its server."""

ANEW = "write the pairs again with `llmtune datagen`"


def read_sides(paths: Sequence[Path]) -> tuple[list[Pair], list[Pair]]:
    """Training and held-out pairs of folders and files, told apart by their metadata.

    Raises:
        DatasetError: a file cannot be read or holds no pairs.
    """
    pairs = [pair for path in paths for file in _files(path) for pair in read_pairs(file)]
    training, held_out = (
        [pair for pair in pairs if pair.metadata["split"] == side] for side in (TRAIN, HELD_OUT)
    )
    return training, held_out


def check_apart(training: Sequence[Pair], held_out: Sequence[Pair]) -> None:
    """Refuse to train on what is held out.

    Raises:
        DatasetError: a query template is on both sides.
    """
    shared = shared_templates(templates_of(training), templates_of(held_out))
    if shared:
        raise DatasetError(
            f"some of these pairs hold out what others train on: {', '.join(shared)}. Give one "
            f"folder at a time; or delete each {HELD_OUT_FILE} and call the same `llmtune datagen` "
            "again, with one --held-out: then each template is on the same side in all folders, "
            "but for those that fill up a side of fewer than two"
        )


def held_out_templates(folder: Path) -> frozenset[str]:
    """The query templates that a data-generation folder holds out so far.

    Raises:
        DatasetError: its file of held-out pairs is damaged.
    """
    pairs = [pair for file in _held_out(folder) for pair in read_pairs(file)]
    return frozenset().union(*templates_of(pairs).values())


def space_of(pairs: Sequence[Pair]) -> KnobSpace:
    """The knob space that the completions name: their knobs, on the first pair's hardware.

    Of several server versions it is the newest one's, which has every knob of the others.

    Raises:
        DatasetError: the pairs were made with another knob catalogue, or do not say
            with which.
    """
    catalogue = load_catalogue()
    if any(pair.metadata.get("catalogue_hash") != catalogue.hash for pair in pairs):
        raise DatasetError(f"not all pairs were made with this knob catalogue; {ANEW}")
    try:
        facts = [[int(pair.metadata[name]) for name in SERVER] for pair in pairs]
        names = {name for pair in pairs for name in knobs_of(pair)}
        newest = max(version for version, *_ in facts)
        return resolve_space(catalogue, newest, Hardware(*facts[0][1:]), names=names)
    except (KeyError, TypeError, ValueError, UsageError) as error:
        raise DatasetError(f"the pairs do not fit their metadata ({error}); {ANEW}") from error


def _files(path: Path) -> Iterator[Path]:
    """The file itself, or the sides in a folder."""
    if not is_folder(path):
        yield path
        return
    yield path / TRAIN_FILE
    yield from _held_out(path)


def _held_out(folder: Path) -> Iterator[Path]:
    """Its file, if it holds any: of few mixes, none may be held out."""
    held_out = folder / HELD_OUT_FILE
    if is_file(held_out) and held_out.stat().st_size:
        yield held_out
