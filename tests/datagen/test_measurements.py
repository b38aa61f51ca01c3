import json
from dataclasses import replace
from itertools import islice

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from datagen.matrix import Matrix
from datagen.measurements import METADATA_KEY, gather, read_measurements, write_measurements
from datagen.plan import schedule
from llmtune.errors import DatasetError


@pytest.fixture
def matrix(make_writer, space, tmp_path) -> Matrix:
    writer = make_writer(tmp_path / "matrix")
    for candidate in islice(schedule(space, 5), 20):
        writer.add(candidate)
    return writer.matrix


def test_a_surrogate_knows_what_was_measured(matrix, timer, space):
    names = matrix.header.feature_names
    surrogate, places = gather([matrix]).surrogate(names)
    assert places == list(range(len(names)))
    bases = np.array(list(matrix.default_seconds.values()))
    totals = np.nansum(matrix.seconds, axis=1)
    for row, faster in ((int(totals.argmin()), True), (int(totals.argmax()), False)):
        configuration = space.configuration(matrix.runs[row].changes)
        ratios = surrogate.predict(list(timer.what_if(configuration).values()))
        assert bool((ratios * bases).sum() < bases.sum()) is faster


def test_a_file_gives_back_what_was_written(matrix, tmp_path):
    written = gather([matrix])
    write_measurements(tmp_path / "m.parquet", written)
    found = read_measurements(tmp_path / "m.parquet")
    assert found.names == written.names
    assert found.sources == written.sources
    np.testing.assert_array_equal(found.features, written.features)
    np.testing.assert_array_equal(found.ratios, written.ratios)


def test_matrices_are_joined_over_the_features_that_they_share(matrix):
    fewer = replace(matrix.header, feature_names=("other", *matrix.header.feature_names[1:]))
    both = gather([matrix, Matrix(fewer, matrix.runs)])
    assert both.names == matrix.header.feature_names[1:]
    assert len(both.ratios) == 2 * len(gather([matrix]).ratios)
    surrogate, places = both.surrogate(("unknown", *both.names[::-1]))
    assert places == list(range(1, len(both.names) + 1))
    expected = surrogate.predict(both.features[:, ::-1])
    assert np.corrcoef(np.log(expected), np.log(both.ratios))[0, 1] > 0.9


def test_a_matrix_without_features_is_refused(matrix):
    bare = Matrix(matrix.header, [replace(run, features={}) for run in matrix.runs])
    with pytest.raises(DatasetError, match="no run has plan features beside its times"):
        gather([bare])
    assert len(gather([bare, matrix]).ratios) == len(gather([matrix]).ratios)


def test_features_that_nobody_knows_are_refused(matrix):
    with pytest.raises(DatasetError, match="none of the features"):
        gather([matrix]).surrogate(["unknown"])


@pytest.mark.parametrize("content", [b"", b"PAR1", b"{}"])
def test_a_damaged_file_is_named(tmp_path, content):
    (tmp_path / "m.parquet").write_bytes(content)
    with pytest.raises(DatasetError, match=r"m\.parquet: not a readable file"):
        read_measurements(tmp_path / "m.parquet")


ABOUT = {"schema_version": 1, "sources": ["tpch"]}


@pytest.mark.parametrize(
    ("about", "columns"),
    [
        ([], {"ratio": [1.0], "a": [2.0]}),
        (ABOUT, {"ratio": [1.0]}),
        (ABOUT, {"ratio": [1.0], "a": ["two"]}),
        (ABOUT, {"ratio": [1.0], "a": [None]}),
        (ABOUT, {"ratio": [float("nan")], "a": [2.0]}),
        (ABOUT, {"ratio": [0.0], "a": [2.0]}),
        (ABOUT, {"ratio": np.zeros(0), "a": np.zeros(0)}),
    ],
)
def test_a_file_of_something_else_is_named(tmp_path, about, columns):
    table = pa.table(columns).replace_schema_metadata({METADATA_KEY: json.dumps(about)})
    pq.write_table(table, tmp_path / "m.parquet")
    with pytest.raises(DatasetError, match=r"m\.parquet: not a readable file"):
        read_measurements(tmp_path / "m.parquet")


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(DatasetError, match=r"m\.parquet"):
        read_measurements(tmp_path / "m.parquet")
