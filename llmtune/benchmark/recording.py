"""A recording: one workload's measured query times under many configurations, in one file.

What a data-generation run measured once can be asked again without a server. The
file is Parquet with a row for each measured configuration, a column of seconds for
each query, and the facts of the measurement as JSON in the schema's metadata.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from llmtune.errors import DatasetError, UsageError
from llmtune.knobs.catalogue import load_catalogue
from llmtune.knobs.configuration import Configuration, Value
from llmtune.knobs.hardware import Hardware
from llmtune.knobs.space import KnobSpace, resolve_space

if TYPE_CHECKING:
    import pyarrow as pa

SCHEMA_VERSION = 1
METADATA_KEY = b"llmtune"
CHANGES = "changes"
LEAST_CONFIGURATIONS = 20
"""Measured in full; with fewer of them a surrogate would be a guess, however often each ran."""

SHIPPED = Path(__file__).with_name("recordings")
"""The recordings that come with LLMTune."""


@dataclass(frozen=True, slots=True)
class Recording:
    """Measured seconds of every query under every measured configuration.

    Attributes:
        name: of the workload that was measured.
        knobs: those that were varied.
        profile: JSON of the workload's profile under default settings.
        query_ids, weights: of the queries, in the order in which they run.
        changes: from the default, one for each row of `seconds`.
        seconds: shape (runs, queries); NaN where a query did not succeed.
    """

    name: str
    server_version: int
    hardware: Hardware
    catalogue_hash: str
    code_version: str
    knobs: tuple[str, ...]
    profile: str
    query_ids: tuple[str, ...]
    weights: tuple[float, ...]
    changes: tuple[Mapping[str, Value], ...]
    seconds: NDArray[np.float64]

    def __post_init__(self) -> None:
        shape = (len(self.changes), len(self.query_ids))
        if self.seconds.shape != shape or len(self.weights) != len(self.query_ids):
            raise DatasetError(f"recording {self.name}: {self.seconds.shape} times, not {shape}")
        measured = len({frozenset(self.changes[row].items()) for row in self.complete})
        if measured < LEAST_CONFIGURATIONS:
            raise DatasetError(
                f"recording {self.name}: every query succeeded under {measured} configurations, "
                f"too few to stand for the server; at least {LEAST_CONFIGURATIONS} are needed: "
                "measure more with `llmtune datagen`"
            )

    @property
    def complete(self) -> NDArray[np.intp]:
        """Rows of the runs in which every query succeeded."""
        return np.flatnonzero(~np.isnan(self.seconds).any(axis=1))

    def space(self) -> KnobSpace:
        """The knobs that were varied, on the hardware that was measured.

        Raises:
            UnknownName, UnsupportedServer: this version's catalogue lacks one of them.
        """
        whole = resolve_space(load_catalogue(), self.server_version, self.hardware)
        return whole.subset(self.knobs)

    def configurations(self, space: KnobSpace) -> tuple[Configuration, ...]:
        """The measured configurations, one for each row of `seconds`.

        Raises:
            DatasetError: one is not valid in `space`.
        """
        try:
            return tuple(space.configuration(changes) for changes in self.changes)
        except UsageError as error:
            raise DatasetError(
                f"recording {self.name} was made with another knob catalogue: {error}"
            ) from error


def write_recording(path: Path, recording: Recording) -> None:
    """Write the file that `read_recording` reads.

    Raises:
        DatasetError: it cannot be written.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns = dict(zip(recording.query_ids, recording.seconds.T, strict=True))
    texts = [json.dumps(dict(changes)) for changes in recording.changes]
    table = pa.table({CHANGES: texts, **columns})
    about = json.dumps(_facts(recording)).encode()
    try:
        table = table.replace_schema_metadata({METADATA_KEY: about})
        pq.write_table(table, path, compression="zstd")
    except OSError as error:
        raise DatasetError(f"cannot write {path}: {error.strerror or error}") from error


def read_recording(path: Path) -> Recording:
    """Read what `write_recording` wrote.

    Raises:
        DatasetError: the file is missing, damaged, or of another schema version.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(path)
        about = json.loads((table.schema.metadata or {})[METADATA_KEY])
        if about["schema_version"] != SCHEMA_VERSION:
            raise DatasetError(f"{path}: schema version {about['schema_version']} is unknown here")
        return _recording(table, about)
    except (OSError, pa.ArrowException, KeyError, TypeError, ValueError) as error:
        raise DatasetError(f"{path}: not a readable recording ({error})") from error


def _facts(recording: Recording) -> dict[str, Any]:
    return {
        "schema_version": SCHEMA_VERSION,
        "name": recording.name,
        "server_version": recording.server_version,
        "cores": recording.hardware.cores,
        "memory": recording.hardware.memory,
        "catalogue_hash": recording.catalogue_hash,
        "code_version": recording.code_version,
        "knobs": recording.knobs,
        "profile": recording.profile,
        "query_ids": recording.query_ids,
        "weights": recording.weights,
    }


def _recording(table: pa.Table, about: Mapping[str, Any]) -> Recording:
    query_ids = tuple(about["query_ids"])
    return Recording(
        name=about["name"],
        server_version=about["server_version"],
        hardware=Hardware(about["cores"], about["memory"]),
        catalogue_hash=about["catalogue_hash"],
        code_version=about["code_version"],
        knobs=tuple(about["knobs"]),
        profile=about["profile"],
        query_ids=query_ids,
        weights=tuple(about["weights"]),
        changes=tuple(json.loads(text) for text in table.column(CHANGES).to_pylist()),
        seconds=np.column_stack([table.column(one).to_numpy() for one in query_ids]),
    )
