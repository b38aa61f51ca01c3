"""Held-out pairs as an adapter can be scored on: its own knobs, templates that it never saw."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from datagen.pairs import Pair, knobs_of, shared_templates, templates_of
from llmtune.errors import DatasetError
from llmtune.knobs.space import KnobSpace
from llmtune.model.adapter import check_adapter
from llmtune.model.checkpoint import BaseModel


@dataclass(frozen=True, slots=True)
class HeldOut:
    """What of some pairs an adapter is scored on.

    Attributes:
        space: the knobs that the pairs name and the adapter was trained on.
        pairs: with the lines of these knobs alone; those with none of them are gone.
        unknown: the other knobs that the pairs name, which `suggest` never asks about.
        dropped: how many labels of unknown knobs there were.
    """

    space: KnobSpace
    pairs: tuple[Pair, ...]
    unknown: tuple[str, ...]
    dropped: int


def held_out_for(
    base: BaseModel, adapter: Path, space: KnobSpace, pairs: Sequence[Pair]
) -> HeldOut:
    """What of held-out pairs a checked adapter is scored on.

    Args:
        space: of the knobs that the pairs name; any hardware's, of their newest server version.

    Raises:
        AdapterMismatch, ModelError: the adapter does not fit or is damaged.
        DatasetError: it was trained on some of the pairs' query templates, or on none of
            their knobs.
    """
    card = check_adapter(adapter, base, space.catalogue_hash)
    seen = shared_templates(card.templates, templates_of(pairs))
    if seen:
        raise DatasetError(
            f"the adapter in {adapter} was trained on query templates of these held-out pairs: "
            f"{', '.join(seen)}; give it pairs of other templates, or train it again"
        )
    unknown = tuple(name for name in space.names if name not in card.knobs)
    kept = _without(unknown, pairs)
    if not kept:
        raise DatasetError(
            f"the adapter in {adapter} was trained on none of the knobs of these held-out pairs "
            f"({', '.join(unknown)}); give it pairs of its own knobs, which its card names, "
            "or train an adapter on pairs of these"
        )
    return HeldOut(
        space=space.subset(set(space.names) - set(unknown)),
        pairs=kept,
        unknown=unknown,
        dropped=sum(name in unknown for pair in pairs for name in knobs_of(pair)),
    )


def _without(knobs: Collection[str], pairs: Sequence[Pair]) -> tuple[Pair, ...]:
    """The pairs without the lines of these knobs, and without those that had no others."""
    kept = []
    for pair in pairs:
        lines = zip(knobs_of(pair), pair.completion.splitlines(keepends=True), strict=True)
        completion = "".join(line for name, line in lines if name not in knobs)
        if completion or not pair.completion:  # one that names nothing is refused later
            kept.append(replace(pair, completion=completion))
    return tuple(kept)
