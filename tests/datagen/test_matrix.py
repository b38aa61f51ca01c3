import json
import shutil
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from datagen.matrix import Run, header_of
from datagen.matrix_files import COLUMNS, HEADER_KEY, read_matrix, write_run
from llmtune.benchmark.queries import QueryOutcome
from llmtune.errors import DatasetError
from llmtune.postgres.profile import Profile
from llmtune.trial import Pace, TrialStatus
from workloads.workload import ExistingDatabase

NAN = float("nan")
SINGLE = st.floats(width=32, allow_nan=False, allow_infinity=False)
VALUES = st.booleans() | st.integers(-1, 1 << 40) | st.floats(0, 1e6) | st.sampled_from(["a", "é"])
OUTCOMES = st.builds(
    QueryOutcome,
    st.just(""),
    st.floats(1e-6, 1e6),
    st.sampled_from(TrialStatus),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=20),
)
RUNS = st.builds(
    lambda source, changes, outcomes, features: Run(
        3,
        source,
        changes,
        tuple(replace(one, query_id=f"q{n}") for n, one in enumerate(outcomes)),
        {f"q{n}": tuple(row) for n, row in enumerate(features[: len(outcomes)])},
    ),
    st.sampled_from(["default", "sampled"]),
    st.dictionaries(st.sampled_from(["work_mem", "jit", "x"]), VALUES),
    st.lists(OUTCOMES, min_size=1, max_size=4),
    st.lists(st.lists(SINGLE, min_size=2, max_size=2), max_size=4),
)


@pytest.fixture
def header(header):
    """Of as few features as the runs here have."""
    return replace(header, feature_names=("rows", "pages"))


def written(folder, header, count=3):
    pace = Pace(0.003, 0.002)
    outcomes = tuple(
        QueryOutcome(f"q{n}", 1.5 * n, TrialStatus.SUCCEEDED, pace=pace) for n in (1, 2)
    )
    features = {"q1": (1.0, 0.5), "q2": (2.0, 8.0)}
    for number in range(count):
        write_run(folder, header, Run(number, "test", {"work_mem": 64}, outcomes, features))
    return sorted(folder.iterdir())


@given(RUNS)
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_run_comes_back_as_it_was_written(tmp_path_factory, header, run):
    folder = tmp_path_factory.mktemp("matrix")
    assert write_run(folder, header, run).parent == folder
    matrix = read_matrix(folder)
    assert matrix.header == header
    assert matrix.runs == (run,)
    assert [type(v) for v in matrix.runs[0].changes.values()] == [
        type(v) for v in run.changes.values()
    ]


def test_runs_come_in_the_order_of_their_numbers(tmp_path, header):
    outcomes = (QueryOutcome("q1", 1.0, TrialStatus.SUCCEEDED),)
    for number in (100_000, 7, 12):
        write_run(tmp_path, header, Run(number, "test", {}, outcomes, {}))
    assert [run.number for run in read_matrix(tmp_path).runs] == [7, 12, 100_000]


def test_a_folder_without_runs_is_no_matrix(tmp_path):
    with pytest.raises(DatasetError, match="no runs here"):
        read_matrix(tmp_path)


def test_any_damage_is_named_or_does_no_harm(tmp_path, header):
    path = written(tmp_path, header, 2)[1]
    whole, intact = path.read_bytes(), read_matrix(tmp_path)
    rng, refused = np.random.default_rng(1), 0
    cut = [whole[: int(size)] for size in rng.integers(0, len(whole), 20)]
    flipped = []
    for place in rng.integers(0, len(whole), 150):
        damaged = bytearray(whole)
        damaged[place] ^= int(rng.integers(1, 256))
        flipped.append(bytes(damaged))
    for content in cut + flipped:
        path.write_bytes(content)
        try:
            found = read_matrix(tmp_path)
            harmless = (found.header, found.runs) == (intact.header, intact.runs)
        except DatasetError as error:
            harmless = path.name in str(error)
            refused += 1
        assert harmless, "or refused by name"
    assert refused > len(cut)


def rewritten(path, name, value):
    """Put a value into the second row of a file that has no digest, as older ones have none."""
    table = pq.read_table(path)
    rows = table.to_pylist()
    rows[1][name] = value
    about = {HEADER_KEY: table.schema.metadata[HEADER_KEY]}
    pq.write_table(pa.Table.from_pylist(rows, schema=COLUMNS.with_metadata(about)), path)


def test_a_file_from_before_there_were_digests_is_read(tmp_path, header):
    path = written(tmp_path, header)[1]
    intact = read_matrix(tmp_path).runs
    rewritten(path, "query_id", "q2")
    assert read_matrix(tmp_path).runs == intact


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("seconds", None, "q2 succeeded in None s; delete it"),
        ("seconds", NAN, "q2 succeeded in nan s"),
        ("seconds", -1.0, "q2 succeeded in -1.0 s"),
        ("seconds", 0.0, "q2 succeeded in 0.0 s"),
        ("query_id", "q3", "other queries than in run-00000.parquet"),
        ("features", [1.0], "the features of q2 are not 2 finite numbers"),
        ("features", [1.0, NAN], "the features of q2 are not 2 finite numbers"),
    ],
)
def test_what_no_run_can_hold_is_named(tmp_path, header, name, value, said):
    path = written(tmp_path, header)[1]
    rewritten(path, name, value)
    with pytest.raises(DatasetError) as caught:
        read_matrix(tmp_path)
    assert path.name in str(caught.value)
    assert said in str(caught.value).replace("(", "").replace(")", "")


def test_a_run_that_is_there_twice_is_no_repeat(tmp_path, header):
    path = written(tmp_path, header)[1]
    shutil.copy(path, tmp_path / "run-00001-copy.parquet")
    with pytest.raises(DatasetError, match=r"run-00001\.parquet: run 1, as in run-00001-copy"):
        read_matrix(tmp_path)


def test_files_of_two_headers_do_not_mix(tmp_path, header):
    written(tmp_path, header)
    other = replace(header, memory=2 << 30)
    write_run(tmp_path, other, replace(read_matrix(tmp_path).runs[0], number=9))
    with pytest.raises(DatasetError, match=r"run-00009\.parquet: measured on something else"):
        read_matrix(tmp_path)


def test_another_schema_version_is_named(tmp_path, header):
    path = written(tmp_path, header, 1)[0]
    table = pq.read_table(path)
    raw = json.loads(table.schema.metadata[HEADER_KEY])
    changed = {HEADER_KEY: json.dumps({**raw, "schema_version": 99})}
    pq.write_table(table.replace_schema_metadata(changed), path)
    with pytest.raises(DatasetError, match="schema version 99, not 1"):
        read_matrix(tmp_path)


def test_a_file_from_before_its_queries_were_said_is_read(tmp_path, header):
    path = written(tmp_path, header, 1)[0]
    table = pq.read_table(path)
    raw = json.loads(table.schema.metadata[HEADER_KEY])
    older = {name: raw[name] for name in raw if name not in ("queries", "database")}
    pq.write_table(table.replace_schema_metadata({HEADER_KEY: json.dumps(older)}), path)
    assert read_matrix(tmp_path).header == replace(header, queries="", database="")
    del older["cores"]
    pq.write_table(table.replace_schema_metadata({HEADER_KEY: json.dumps(older)}), path)
    with pytest.raises(DatasetError, match="cores"):
        read_matrix(tmp_path)


def test_what_cannot_be_written_is_said(tmp_path, header):
    (tmp_path / "matrix").touch()
    with pytest.raises(DatasetError, match="cannot write"):
        written(tmp_path / "matrix", header)


def test_totals_are_the_weighted_sums(make_matrix):
    matrix = make_matrix([({}, [1.0, 2.0, 4.0]), ({"work_mem": 64}, [3.0, NAN, 5.0])])
    assert matrix.totals({"q1": 2.0, "q3": 0.5}).tolist() == [4.0, 8.5]
    both = matrix.totals({"q1": 1.0, "q2": 1.0})
    assert both[0] == 3.0
    assert np.isnan(both[1]), "a query failed, so the total is not known"


@given(
    st.lists(st.lists(st.floats(1e-3, 1e3), min_size=4, max_size=4), min_size=1, max_size=5),
    st.dictionaries(st.sampled_from(["q1", "q2", "q3", "q4"]), st.floats(0.1, 10), min_size=1),
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_totals_by_hand(make_matrix, seconds, weights):
    totals = make_matrix([({}, row) for row in seconds]).totals(weights)
    expected = [sum(weights.get(f"q{n + 1}", 0) * row[n] for n in range(4)) for row in seconds]
    assert totals.tolist() == pytest.approx(expected)


def test_the_default_s_rows_are_its_complete_runs(make_matrix):
    matrix = make_matrix([({}, [1.0]), ({"work_mem": 64}, [1.0]), ({}, [NAN]), ({}, [2.0])])
    assert matrix.default_rows == (0, 3)


def test_a_default_that_never_ran_is_said_with_its_reason(make_matrix):
    matrix = make_matrix([({}, [1.0, NAN]), ({"work_mem": 64}, [1.0, 1.0])])
    with pytest.raises(DatasetError, match=r"query q2 failed in run 0 \(division by zero\)"):
        _ = matrix.default_rows


def test_a_header_tells_what_times_depend_on(five, space):
    profile = Profile("analytic", space.hardware, 18, 1, (), ())

    def header(workload, database="shop"):
        return header_of(workload, database, profile, space, ("a", "b"), clients=3, seed=7)

    first, *others = five.queries
    heavier = replace(five, queries=(replace(first, weight=9.0), *others))
    other = replace(five, queries=(replace(first, sql="SELECT 9"), *others))
    assert header(heavier) == header(five), "no time depends on a weight"
    assert header(other).queries != header(five).queries
    assert header(five).database == "", "its data were loaded, into whichever database"
    mine = replace(five, data_set=ExistingDatabase(database="shop"))
    assert (header(mine).database, header(mine).cores) == ("shop", space.hardware.cores)
