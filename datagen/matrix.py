"""The matrix *query x configuration*: its rows, and the files that hold them.

A matrix is a folder of Parquet files, one for each measured configuration (a run),
written atomically when the run ends: a killed measurement loses at most the run in
flight. Each file carries the matrix's header as schema metadata.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from llmtune.benchmark.queries import QueryOutcome
from llmtune.errors import DatasetError
from llmtune.knobs.configuration import Value
from llmtune.trial import Pace, TrialStatus

SCHEMA_VERSION = 1
HEADER_KEY = b"llmtune"
MATRIX_FOLDER = "matrix"
"""Where in a data-generation folder the matrix lies."""
COLUMNS = pa.schema(
    [
        ("run", pa.int32()),
        ("source", pa.string()),
        ("changes", pa.string()),
        ("query_id", pa.string()),
        ("status", pa.string()),
        ("seconds", pa.float64()),
        ("message", pa.string()),
        ("probe_s", pa.float64()),
        ("reference_s", pa.float64()),
        ("features", pa.list_(pa.float32())),
    ]
)


@dataclass(frozen=True, slots=True)
class MatrixHeader:
    """What a matrix was measured on; one matrix never mixes two of these.

    Attributes:
        cores, memory: of the server, memory in bytes.
        profile: JSON of the base workload's profile under default settings.
        catalogue_hash: of the knob catalogue whose knobs were changed.
        feature_names: what each position of the runs' feature vectors means.
        queries: digest of the queries' names and SQL. Empty in files that do not say it.
        database: the existing one that was measured, empty where data were loaded.
    """

    data_set: str
    server_version: int
    cores: int
    memory: int
    seed: int
    catalogue_hash: str
    code_version: str
    profile: str
    feature_names: tuple[str, ...]
    schema_version: int = SCHEMA_VERSION
    queries: str = ""
    database: str = ""


@dataclass(frozen=True, slots=True)
class Run:
    """One measured configuration: the changes from default and every query's outcome.

    Attributes:
        features: for each query id, the what-if plan features under the configuration.
    """

    number: int
    source: str
    changes: Mapping[str, Value]
    outcomes: tuple[QueryOutcome, ...]
    features: Mapping[str, tuple[float, ...]]

    @property
    def complete(self) -> bool:
        """Whether every query succeeded."""
        return all(outcome.status is TrialStatus.SUCCEEDED for outcome in self.outcomes)


class Matrix:
    """All runs of one header, in order of their numbers."""

    def __init__(self, header: MatrixHeader, runs: Iterable[Run]) -> None:
        self.header = header
        self.runs = tuple(sorted(runs, key=lambda run: run.number))
        if not self.runs:
            raise DatasetError(
                f"the matrix of {header.data_set} has no runs; run `llmtune datagen`"
            )

    @cached_property
    def query_ids(self) -> tuple[str, ...]:
        """Columns of `seconds`, in the workload's order."""
        return tuple(outcome.query_id for outcome in self.runs[0].outcomes)

    @cached_property
    def seconds(self) -> NDArray[np.float64]:
        """Measured seconds, shape (runs, queries); NaN where a query did not succeed."""
        table = np.full((len(self.runs), len(self.query_ids)), np.nan)
        column = {query_id: index for index, query_id in enumerate(self.query_ids)}
        for row, run in enumerate(self.runs):
            for outcome in run.outcomes:
                if outcome.status is TrialStatus.SUCCEEDED:
                    table[row, column[outcome.query_id]] = outcome.seconds
        return table

    @cached_property
    def default_seconds(self) -> dict[str, float]:
        """Median seconds of each query id over the complete runs of the default configuration.

        Raises:
            DatasetError: there is none.
        """
        medians = np.median(self.seconds[list(self.default_rows)], axis=0)
        return dict(zip(self.query_ids, medians.tolist(), strict=True))

    @cached_property
    def default_rows(self) -> tuple[int, ...]:
        """Rows of the complete runs of the default configuration, which all else is compared with.

        Raises:
            DatasetError: there is none.
        """
        runs = [(row, run) for row, run in enumerate(self.runs) if not run.changes]
        rows = tuple(row for row, run in runs if run.complete)
        if not rows:
            reasons = [_first_failure(run) for _, run in runs]
            raise DatasetError(
                f"the matrix of {self.header.data_set} has no complete run of the default "
                f"configuration{''.join(reasons[:1])}"
            )
        return rows

    def totals(self, weights: Mapping[str, float]) -> NDArray[np.float64]:
        """Composed weighted seconds of a mix under every run, shape (runs,); NaN if unknown."""
        vector = np.array([weights.get(query_id, 0.0) for query_id in self.query_ids])
        used = vector > 0
        totals: NDArray[np.float64] = self.seconds[:, used] @ vector[used]
        return totals


def _first_failure(run: Run) -> str:
    failed = next(o for o in run.outcomes if o.status is not TrialStatus.SUCCEEDED)
    return (
        f": query {failed.query_id} {failed.status} in run {run.number} ({failed.message}); "
        "mend that, delete the run's file and resume"
    )


def read_matrix(folder: Path) -> Matrix:
    """Read every run in `folder`.

    Raises:
        DatasetError: no runs, a damaged file, or files of different headers.
    """
    header: MatrixHeader | None = None
    runs = []
    for path in sorted(folder.glob("run-*.parquet")):
        found, run = _read_run(path)
        if header is not None and found != header:
            raise DatasetError(
                f"{path}: measured on something else than the runs beside it; move it"
            )
        header = found
        runs.append(run)
    if header is None:
        raise DatasetError(f"{folder}: no runs here; write some with `llmtune datagen`")
    return Matrix(header, runs)


def write_run(folder: Path, header: MatrixHeader, run: Run) -> Path:
    """Write one run atomically and return its file.

    Raises:
        DatasetError: it cannot be written.
    """
    metadata = {HEADER_KEY: json.dumps(asdict(header)).encode()}
    table = pa.Table.from_pylist(list(_rows(run)), schema=COLUMNS.with_metadata(metadata))
    path = folder / f"run-{run.number:05d}.parquet"
    partial = path.with_suffix(".partial")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        pq.write_table(table, partial, compression="zstd")
        partial.replace(path)
    except OSError as error:
        raise DatasetError(f"cannot write {path}: {error.strerror or error}") from error
    return path


def _rows(run: Run) -> Iterator[dict[str, Any]]:
    changes = json.dumps(dict(run.changes))
    for outcome in run.outcomes:
        yield {
            "run": run.number,
            "source": run.source,
            "changes": changes,
            "query_id": outcome.query_id,
            "status": outcome.status.value,
            "seconds": outcome.seconds,
            "message": outcome.message,
            "probe_s": outcome.pace and outcome.pace.probe_s,
            "reference_s": outcome.pace and outcome.pace.reference_s,
            "features": run.features.get(outcome.query_id),
        }


def _read_run(path: Path) -> tuple[MatrixHeader, Run]:
    try:
        table = pq.read_table(path)
        raw = json.loads((table.schema.metadata or {})[HEADER_KEY])
        rows = table.to_pylist()
        header = _header(path, raw)
        return header, _run(rows)
    except (pa.ArrowException, OSError, KeyError, TypeError, ValueError, IndexError) as error:
        raise DatasetError(
            f"{path}: not a readable matrix file ({error}); delete it and resume"
        ) from error


def _header(path: Path, raw: dict[str, Any]) -> MatrixHeader:
    version = raw.get("schema_version")
    if version != SCHEMA_VERSION:
        raise DatasetError(f"{path}: schema version {version}, not {SCHEMA_VERSION}")
    # Older files lack fields that have a default; without another one a file is refused.
    values = {field.name: raw[field.name] for field in fields(MatrixHeader) if field.name in raw}
    return MatrixHeader(**{**values, "feature_names": tuple(raw["feature_names"])})


def _run(rows: list[dict[str, Any]]) -> Run:
    first = rows[0]
    features = {row["query_id"]: tuple(row["features"]) for row in rows if row["features"]}
    changes = json.loads(first["changes"])
    return Run(first["run"], first["source"], changes, tuple(map(_outcome, rows)), features)


def _outcome(row: dict[str, Any]) -> QueryOutcome:
    """Files from before the pace was known have no columns for it."""
    probe_s, reference_s = row.get("probe_s"), row.get("reference_s")
    pace = None if probe_s is None or reference_s is None else Pace(probe_s, reference_s)
    status = TrialStatus(row["status"])
    return QueryOutcome(row["query_id"], row["seconds"], status, row["message"], pace=pace)
