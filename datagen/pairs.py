"""Training pairs as JSON Lines of {prompt, completion, metadata}.

The usual data-set libraries load such a file as it is.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from datagen.split import HELD_OUT, TRAIN
from llmtune import __version__
from llmtune.errors import DatasetError

SCHEMA_VERSION = 1
"""Of one line; lines of another schema version are refused."""

TRAIN_FILE, HELD_OUT_FILE = "pairs.jsonl", "held_out.jsonl"
"""The two sides of a data-generation folder."""


@dataclass(frozen=True, slots=True)
class Pair:
    """One training pair.

    Attributes:
        prompt, completion: as `PromptCodec` writes them.
        metadata: JSON values: where the pair comes from (workload, templates,
            hardware, server version, seed ...), and by `split` on which side it is;
            `schema_version` and `code_version` are added when written.
    """

    prompt: str
    completion: str
    metadata: Mapping[str, Any] = field(default_factory=dict)


def write_pairs(path: Path, pairs: Iterable[Pair]) -> None:
    """Write `pairs` to `path`, which then holds all of them or what it held before."""
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        with partial.open("w", encoding="utf-8") as file:
            file.writelines(f"{_line(pair)}\n" for pair in pairs)
        partial.replace(path)
    except OSError as error:
        raise DatasetError(f"cannot write {path}: {error.strerror}") from error
    finally:
        with suppress(OSError):
            partial.unlink()


def read_pairs(path: Path) -> tuple[Pair, ...]:
    """Read all pairs of a file.

    Raises:
        DatasetError: the file cannot be read, or a line is not a pair of this
            schema, or on no side; the message names the line.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise DatasetError(f"cannot read {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise DatasetError(f"{path} is not UTF-8 text, so no file of pairs") from error
    # Not splitlines(): JSON strings may hold other line separators unescaped.
    lines = (line for line in enumerate(text.split("\n"), start=1) if line[1].strip())
    pairs = tuple(_parse(line, f"{path}, line {number}") for number, line in lines)
    if not pairs:
        raise DatasetError(f"{path} holds no pairs")
    return pairs


def knobs_of(pair: Pair) -> tuple[str, ...]:
    """The knobs that a pair's completion names, in its order."""
    return tuple(line.partition(":")[0] for line in pair.completion.splitlines())


def templates_of(pairs: Iterable[Pair]) -> dict[str, frozenset[str]]:
    """The query templates of some pairs by schema, as far as their metadata tell."""
    found: dict[str, set[str]] = {}
    for pair in pairs:
        templates = pair.metadata.get("templates")
        if isinstance(templates, list):
            found.setdefault(str(pair.metadata.get("schema")), set()).update(map(str, templates))
    return {schema: frozenset(names) for schema, names in found.items()}


def shared_templates(
    training: Mapping[str, Collection[str]], held_out: Mapping[str, Collection[str]]
) -> tuple[str, ...]:
    """Those on both sides, as people read them: `tpch-q2 of tpch`."""
    return tuple(
        f"{name} of {schema}"
        for schema, names in sorted(held_out.items())
        for name in sorted(set(names) & set(training.get(schema, ())))
    )


def dataset_hash(pairs: Iterable[Pair]) -> str:
    """SHA-256 (hex) of the prompts and completions in their order."""
    digest = hashlib.sha256()
    for pair in pairs:
        digest.update(json.dumps([pair.prompt, pair.completion]).encode())
    return digest.hexdigest()


def _line(pair: Pair) -> str:
    metadata = {"schema_version": SCHEMA_VERSION, "code_version": __version__, **pair.metadata}
    row = {"prompt": pair.prompt, "completion": pair.completion, "metadata": metadata}
    return json.dumps(row, ensure_ascii=False)


def _parse(line: str, where: str) -> Pair:
    try:
        row = json.loads(line)
    except json.JSONDecodeError as error:
        raise DatasetError(f"{where}: not JSON ({error.msg}); delete or repair the line") from error
    if not isinstance(row, dict):
        raise DatasetError(f"{where}: not an object of prompt, completion and metadata")
    for key, kind in (("prompt", str), ("completion", str), ("metadata", dict)):
        if not isinstance(row.get(key), kind):
            raise DatasetError(f"{where}: {key!r} is missing or no {kind.__name__}")
    version = row["metadata"].get("schema_version")
    if version != SCHEMA_VERSION:
        raise DatasetError(
            f"{where}: schema version {version!r}, but this LLMTune reads {SCHEMA_VERSION}"
        )
    side = row["metadata"].get("split")
    if side not in (TRAIN, HELD_OUT):
        raise DatasetError(
            f"{where}: the split of its metadata is {side!r}, not {TRAIN!r} or {HELD_OUT!r}; "
            "repair the line, or write the pairs again with `llmtune datagen`"
        )
    return Pair(row["prompt"], row["completion"], row["metadata"])
