"""Pairs from the files and folders that a user names."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from datagen.pairs import HELD_OUT_FILE, TRAIN_FILE, Pair, knobs_of, read_pairs
from llmtune.errors import DatasetError, UsageError
from llmtune.knobs.catalogue import load_catalogue
from llmtune.knobs.hardware import Hardware
from llmtune.knobs.space import KnobSpace, resolve_space

ANEW = "write the pairs again with `llmtune datagen`"


def read_sides(paths: Sequence[Path]) -> tuple[list[Pair], list[Pair]]:
    """Training and held-out pairs of folders and files, told apart by their metadata.

    Raises:
        DatasetError: a file cannot be read or holds no pairs.
    """
    pairs = [pair for path in paths for file in _files(path) for pair in read_pairs(file)]
    held_out = [pair for pair in pairs if pair.metadata.get("split") == "held_out"]
    return [pair for pair in pairs if pair.metadata.get("split") != "held_out"], held_out


def space_of(pairs: Sequence[Pair]) -> KnobSpace:
    """The knob space that the completions name: their knobs, on the first pair's hardware.

    Raises:
        DatasetError: the pairs were made with another knob catalogue, or do not say
            with which.
    """
    catalogue, first = load_catalogue(), pairs[0]
    if any(pair.metadata.get("catalogue_hash") != catalogue.hash for pair in pairs):
        raise DatasetError(f"not all pairs were made with this knob catalogue; {ANEW}")
    try:
        facts = {name: int(first.metadata[name]) for name in ("server_version", "cores", "memory")}
        hardware = Hardware(facts["cores"], facts["memory"])
        return resolve_space(catalogue, facts["server_version"], hardware, names=knobs_of(first))
    except (KeyError, TypeError, ValueError, UsageError) as error:
        raise DatasetError(f"the first pair's metadata is damaged ({error}); {ANEW}") from error


def _files(path: Path) -> Iterator[Path]:
    """The file itself, or the sides in a folder; of few mixes, none may be held out."""
    if not path.is_dir():
        yield path
        return
    yield path / TRAIN_FILE
    held_out = path / HELD_OUT_FILE
    if held_out.exists() and held_out.stat().st_size:
        yield held_out
