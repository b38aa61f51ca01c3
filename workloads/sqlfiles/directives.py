"""What a user says of a query beside its SQL: comment lines and a file of weights."""

from __future__ import annotations

import json
import math
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from llmtune.errors import UsageError
from workloads.sqlfiles.statements import Comment

WEIGHT_FILES = ("weights.toml", "weights.json")


@dataclass(frozen=True, slots=True)
class Directives:
    """What the comments `-- name: x`, `-- weight: 3` and `-- template: x` of one statement say."""

    name: str | None = None
    weight: float = 1.0
    template: str | None = None


def read_directives(comments: Iterable[Comment], file: str) -> Directives:
    """The directives among a statement's comments; the first of a kind counts.

    Raises:
        UsageError: an empty name or template, or a weight that is no positive number.
    """
    name, weight, template = None, 1.0, None
    for comment in reversed(tuple(comments)):
        key, colon, value = (part.strip() for part in comment.text.partition(":"))
        place = f"{file}:{comment.line}"
        if colon and key in ("name", "template") and not value:
            raise UsageError(f"{place}: the {key} is empty")
        if colon and key == "name":
            name = value
        elif colon and key == "template":
            template = value
        elif colon and key == "weight":
            weight = _weight(value, place)
    return Directives(name, weight, template)


def read_weights(folder: Path) -> dict[str, float]:
    """Weight by query id from `weights.toml` or `weights.json` in `folder`; none without.

    Raises:
        UsageError: both are there, one cannot be read, or a weight is not positive.
    """
    found = [folder / name for name in WEIGHT_FILES if (folder / name).is_file()]
    if len(found) > 1:
        raise UsageError(f"{folder}: keep one of {' and '.join(WEIGHT_FILES)}")
    return {
        name: _weight(value, f"{file}: {name}")
        for file in found
        for name, value in _table(file).items()
    }


def _table(file: Path) -> Mapping[str, Any]:
    try:
        text = file.read_text("utf-8")
        table = tomllib.loads(text) if file.suffix == ".toml" else json.loads(text)
    except (OSError, ValueError) as error:
        raise UsageError(f"{file} cannot be read: {error}") from error
    if not isinstance(table, dict):
        raise UsageError(f"{file}: expected query ids and their weights")
    return table


def _weight(value: Any, place: str) -> float:
    try:
        weight = math.nan if isinstance(value, bool) else float(value)
    except (TypeError, ValueError):
        weight = math.nan
    if not 0 < weight < math.inf:
        raise UsageError(f"{place}: a weight is a number above 0, not {value!r}")
    return weight
