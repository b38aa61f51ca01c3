"""A matrix as a folder of Parquet files, one for each measured configuration (a run).

Each is written atomically when its run ends: a killed measurement loses at most the run
in flight. Each carries the matrix's header as schema metadata.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, fields
from math import isfinite
from pathlib import Path
from typing import Any

import pyarrow as pa

from datagen.matrix import SCHEMA_VERSION, Matrix, MatrixHeader, Run
from datagen.stored_table import read_table, write_table
from llmtune.benchmark.queries import QueryOutcome
from llmtune.errors import DatasetError
from llmtune.trial import Pace, TrialStatus

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


def read_matrix(folder: Path) -> Matrix:
    """Read every run in `folder`.

    Raises:
        DatasetError: no runs, a damaged file, or files that do not belong together.
    """
    header: MatrixHeader | None = None
    runs: dict[int, tuple[Path, Run]] = {}
    for path in sorted(folder.glob("run-*.parquet")):
        found, run = _read_run(path)
        if header is not None and found != header:
            raise DatasetError(
                f"{path}: measured on something else than the runs beside it; move it"
            )
        header = found
        _check_beside(path, run, runs)
        runs[run.number] = path, run
    if header is None:
        raise DatasetError(f"{folder}: no runs here; write some with `llmtune datagen`")
    return Matrix(header, [run for _, run in runs.values()])


def measured_queries(folder: Path) -> tuple[str, ...]:
    """Ids of the queries that a folder holds times of; none where nothing was measured yet.

    Raises:
        DatasetError: its first file is damaged.
    """
    first = min(folder.glob("run-*.parquet"), default=None)
    return () if first is None else _read_run(first)[1].query_ids


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
        write_table(partial, table)
        partial.replace(path)
    except OSError as error:
        raise DatasetError(f"cannot write {path}: {error.strerror or error}") from error
    return path


def _check_beside(path: Path, run: Run, others: Mapping[int, tuple[Path, Run]]) -> None:
    """Refuse a run that does not go with those that were read before it, by their numbers."""
    if run.number in others:
        place, _ = others[run.number]
        raise DatasetError(
            f"{path}: run {run.number}, as in {place.name}; move one of the two away"
        )
    place, other = next(iter(others.values()), (path, run))
    if other.query_ids != run.query_ids:
        raise DatasetError(f"{path}: other queries than in {place.name}; move one of the two away")


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
        table = read_table(path)
        header = _header(path, json.loads((table.schema.metadata or {})[HEADER_KEY]))
        return header, _run(table.to_pylist(), len(header.feature_names))
    except (pa.ArrowException, OSError, KeyError, TypeError, ValueError, IndexError) as error:
        raise DatasetError(
            f"{path}: not a readable matrix file ({error}); delete it and resume"
        ) from error


def _header(path: Path, raw: dict[str, Any]) -> MatrixHeader:
    version = raw["schema_version"]
    if version != SCHEMA_VERSION:
        raise DatasetError(f"{path}: schema version {version}, not {SCHEMA_VERSION}")
    # Older files lack fields that have a default; without another one a file is refused.
    values = {field.name: raw[field.name] for field in fields(MatrixHeader) if field.name in raw}
    return MatrixHeader(**{**values, "feature_names": tuple(raw["feature_names"])})


def _run(rows: list[dict[str, Any]], width: int) -> Run:
    first = rows[0]
    features = {row["query_id"]: tuple(row["features"]) for row in rows if row["features"]}
    for query_id, vector in features.items():
        if len(vector) != width or not all(map(isfinite, vector)):
            raise ValueError(f"the features of {query_id} are not {width} finite numbers")
    changes = json.loads(first["changes"])
    return Run(first["run"], first["source"], changes, tuple(map(_outcome, rows)), features)


def _outcome(row: dict[str, Any]) -> QueryOutcome:
    """Files from before the pace was known have no columns for it."""
    probe_s, reference_s = row.get("probe_s"), row.get("reference_s")
    pace = None if probe_s is None or reference_s is None else Pace(probe_s, reference_s)
    query_id, seconds, status = row["query_id"], row["seconds"], TrialStatus(row["status"])
    untimed = not seconds and status is TrialStatus.SUCCEEDED
    if seconds is None or not isfinite(seconds) or seconds < 0 or untimed:
        raise ValueError(f"query {query_id} {status} in {seconds} s")
    return QueryOutcome(query_id, seconds, status, row["message"], pace=pace)
