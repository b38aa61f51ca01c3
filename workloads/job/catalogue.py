"""The benchmark's families, read from `catalogue.toml`, whose head explains the format."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any

from workloads.job.graph import (
    Column,
    Combination,
    Comparison,
    Family,
    Filter,
    Join,
    Relation,
    Variant,
)

_COMBINATIONS = {"any": "OR", "all": "AND"}


@cache
def load_families() -> tuple[Family, ...]:
    """The 33 families with their 113 variants, in the benchmark's order."""
    text = (files("workloads.job") / "catalogue.toml").read_text("utf-8")
    return tuple(_family(entry) for entry in tomllib.loads(text)["family"])


def _family(entry: Mapping[str, Any]) -> Family:
    return Family(
        number=entry["number"],
        relations=tuple(Relation(table, alias) for alias, table in entry["relations"].items()),
        joins=tuple(Join(_columns(group)) for group in entry["joins"]),
        variants=tuple(_variant(entry, letter, own) for letter, own in entry["variants"].items()),
    )


def _variant(family: Mapping[str, Any], letter: str, own: Mapping[str, Any]) -> Variant:
    return Variant(
        id=f"{family['number']}{letter}",
        filters=tuple(_filter(written) for written in [*family["filters"], *own["filters"]]),
        outputs=_columns(own.get("outputs", family["outputs"])),
    )


def _columns(texts: list[str]) -> tuple[Column, ...]:
    return tuple(Column.parse(text) for text in texts)


def _filter(written: list[Any]) -> Filter:
    first, *rest = written
    if first in _COMBINATIONS:
        return Combination(_COMBINATIONS[first], tuple(_filter(part) for part in rest))
    operator, *values = rest
    return Comparison(Column.parse(first), operator, tuple(values))
