"""Measurements of any matrices as one table: what a surrogate is fitted on.

One row for each query under each configuration: its feature vector, and its time
relative to the same query's under the default. It travels with an adapter, so that
suggestions can be ranked by what similar plans really took.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from datagen.matrix import Matrix
from datagen.stored_table import read_table, write_table
from llmtune.errors import DatasetError
from llmtune.trial import TrialStatus
from optimizers.surrogate import Surrogate

SCHEMA_VERSION = 1
METADATA_KEY = b"llmtune"
MEASUREMENTS_FILE = "measurements.parquet"


@dataclass(frozen=True, slots=True)
class Measurements:
    """Feature vectors and the times that they led to.

    Attributes:
        names: what each column of `features` means, as `PlanFeatures.names`.
        features: shape (rows, names).
        ratios: shape (rows,): seconds over the default's seconds; of a query that
            timed out, its limit's, a lower bound.
        sources: one line for each matrix: its data set, server and hardware.
    """

    names: tuple[str, ...]
    features: NDArray[np.float32]
    ratios: NDArray[np.float64]
    sources: tuple[str, ...]

    def surrogate(self, names: Sequence[str], seed: int = 0) -> tuple[Surrogate, list[int]]:
        """A surrogate of the ratio over the features that both know, and their places in `names`.

        Raises:
            DatasetError: there are no such features.
        """
        known = {name: column for column, name in enumerate(self.names)}
        shared = [(place, known[name]) for place, name in enumerate(names) if name in known]
        if not shared:
            raise DatasetError("the measurements know none of the features asked for")
        fitted = Surrogate(seed)
        fitted.fit(self.features[:, [column for _, column in shared]], self.ratios)
        return fitted, [place for place, _ in shared]


def gather(matrices: Sequence[Matrix]) -> Measurements:
    """All known times of some matrices over the features that they share.

    Raises:
        DatasetError: there are none.
    """
    names = tuple(
        name
        for name in matrices[0].header.feature_names
        if all(name in matrix.header.feature_names for matrix in matrices)
    )
    parts = [_rows(matrix, names) for matrix in matrices]
    ratios = np.concatenate([each for _, each in parts])
    sources = tuple(_source(matrix) for matrix in matrices)
    if not len(ratios):
        raise DatasetError(
            f"no run has plan features beside its times ({'; '.join(sources)}); measure anew with "
            "`llmtune datagen` in another folder"
        )
    return Measurements(names, np.concatenate([each for each, _ in parts]), ratios, sources)


def write_measurements(path: Path, measurements: Measurements) -> None:
    """Write a Parquet file with one column for each feature."""
    about = {"schema_version": SCHEMA_VERSION, "sources": measurements.sources}
    columns = {name: measurements.features[:, i] for i, name in enumerate(measurements.names)}
    table = pa.table({"ratio": measurements.ratios, **columns})
    table = table.replace_schema_metadata({METADATA_KEY: json.dumps(about).encode()})
    write_table(path, table)


def read_measurements(path: Path) -> Measurements:
    """Read what `write_measurements` wrote.

    Raises:
        DatasetError: the file is missing, damaged, or of another schema version.
    """
    try:
        table = read_table(path)
        about = json.loads((table.schema.metadata or {})[METADATA_KEY])
        version, sources = about["schema_version"], tuple(about["sources"])
        ratios = np.asarray(table.column("ratio").to_numpy(), dtype=np.float64)
        table = table.drop_columns(["ratio"])
        columns = [column.to_numpy() for column in table.columns]
        features = np.column_stack(columns).astype(np.float32)
        if not (np.isfinite(features).all() and np.isfinite(ratios).all()):
            raise ValueError("a value is missing, or no finite number")
        if not len(ratios) or not (ratios > 0).all():
            raise ValueError("there are no rows, or a ratio is not above 0")
    except (OSError, pa.ArrowException, KeyError, ValueError, TypeError) as error:
        raise DatasetError(f"{path}: not a readable file of measurements ({error})") from error
    if version != SCHEMA_VERSION:
        raise DatasetError(f"{path}: schema version {version}, not {SCHEMA_VERSION}")
    return Measurements(tuple(table.column_names), features, ratios, sources)


def _rows(matrix: Matrix, names: Sequence[str]) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    columns = [matrix.header.feature_names.index(name) for name in names]
    default = matrix.default_seconds
    features, ratios = [], []
    for run in matrix.runs:
        for outcome in run.outcomes:
            vector = run.features.get(outcome.query_id)
            if vector and outcome.status in (TrialStatus.SUCCEEDED, TrialStatus.TIMED_OUT):
                features.append([vector[column] for column in columns])
                ratios.append(outcome.seconds / default[outcome.query_id])
    table = np.array(features, dtype=np.float32).reshape(len(ratios), len(names))
    return table, np.array(ratios)


def _source(matrix: Matrix) -> str:
    header = matrix.header
    return (
        f"{header.data_set}, PostgreSQL {header.server_version}, {header.cores} cores, "
        f"{header.memory >> 20} MiB, seed {header.seed}, LLMTune {header.code_version}"
    )
