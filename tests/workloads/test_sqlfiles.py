"""Workloads from `.sql` files: ids, weights, places, and what is refused."""

import pickle
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path

import pytest

from llmtune.errors import UnknownName, UsageError
from workloads import registry
from workloads.digest import digest
from workloads.options import WorkloadOptions
from workloads.sqlfiles import is_sql_path, sql_text
from workloads.sqlfiles.workload import sqlfiles_workload
from workloads.tpch import tpch_workload
from workloads.workload import ExistingDatabase, Query, Workload

WRITES = WorkloadOptions(writes=True)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Four queries in three files."""
    (tmp_path / "q10.sql").write_text("-- weight: 2\nSELECT 10")
    (tmp_path / "q2.sql").write_text("\n-- what sells\nSELECT 2;\n")
    (tmp_path / "monthly").mkdir()
    (tmp_path / "monthly" / "sums.sql").write_text("SELECT 1;\n-- name: totals\nSELECT 'a;b';")
    return tmp_path


def build(path: Path, options: WorkloadOptions | None = None) -> Workload:
    made = registry.workload(str(path), options)
    assert isinstance(made, Workload)
    return made


def made_of(tmp_path: Path, text: str, options: WorkloadOptions | None = None) -> Workload:
    file = tmp_path / "own.sql"
    file.write_text(text)
    return build(file, options)


def test_ids_come_from_files_and_names(folder: Path) -> None:
    workload = build(folder)
    assert [q.id for q in workload.queries] == ["monthly/sums#1", "totals", "q2", "q10"]
    assert [q.weight for q in workload.queries] == [1, 1, 1, 2]
    texts = ["SELECT 1", "SELECT 'a;b'", "SELECT 2", "SELECT 10"]
    assert [q.sql for q in workload.queries] == texts
    assert workload.queries[2].place == f"{folder}/q2.sql:3"
    assert workload.data_set == ExistingDatabase()
    pickle.dumps(workload)


def test_files_of_equal_numbers_have_an_order_of_their_own(tmp_path: Path) -> None:
    for zeros in (2, 0, 5, 3, 1, 4):
        (tmp_path / f"q{'0' * zeros}1.sql").write_text(f"SELECT {zeros}")
    ids = [query.id for query in build(tmp_path).queries]
    assert ids == ["q000001", "q00001", "q0001", "q001", "q01", "q1"]


@pytest.mark.parametrize("name", ["own.sql", "monthly/"])
def test_what_is_another_account_s_is_refused(
    private: Path, unprivileged: Callable[[], AbstractContextManager[None]], name: str
) -> None:
    with unprivileged(), pytest.raises(UsageError, match=r"private.* cannot be read: Permission"):
        sqlfiles_workload(private / name, WorkloadOptions())


def test_a_name_changes_with_what_is_measured(folder: Path) -> None:
    name = build(folder).name
    assert build(folder).name == name
    (folder / "q2.sql").write_text("SELECT 3")
    assert build(folder).name != name


@pytest.mark.parametrize(
    ("file", "text"),
    [("weights.toml", 'q2 = 5\n"monthly/sums#1" = 0.5'), ("weights.json", '{"q2": 5, "q10": 1}')],
)
def test_weights_beside_the_files_count_more(folder: Path, file: str, text: str) -> None:
    (folder / file).write_text(text)
    weights = {query.id: query.weight for query in build(folder).queries}
    assert weights["q2"] == 5
    assert weights["q10"] == (2 if file == "weights.toml" else 1)
    assert [q.weight for q in build(folder / "q2.sql").queries] == [5], "others are not its own"


@pytest.mark.parametrize(
    ("file", "text", "said"),
    [
        ("weights.toml", "q3 = 1", "'q3', which is no query; known: monthly/sums#1, totals, q2"),
        ("weights.toml", "q2 = 0", "q2: a weight is a number above 0, not 0"),
        ("weights.toml", "q2 = ", "weights.toml cannot be read"),
        ("weights.json", '{"q2": true}', "a weight is a number above 0, not True"),
        ("weights.json", "[1]", "expected query ids and their weights"),
        ("q3.sql", "-- weight: much\nSELECT 1", "q3.sql:1: a weight is .*, not 'much'"),
        ("q3.sql", "SELECT 1\n-- weight: inf\n+ 1", "q3.sql:2: a weight"),
        ("q3.sql", "-- name:\nSELECT 1", "q3.sql:1: the name is empty"),
        ("q3.sql", "-- template:\nSELECT 1", "q3.sql:1: the template is empty"),
        ("q3.sql", "-- name: q2\nSELECT 1", "q3.sql:2: the name q2 is that of .*q2.sql:3 too"),
        ("q3.sql", "-- nothing", "q3.sql has no statement"),
        ("q3.sql", "", "q3.sql has no statement"),
    ],
)
def test_damaged_folders_are_refused(folder: Path, file: str, text: str, said: str) -> None:
    (folder / file).write_text(text)
    with pytest.raises(UsageError, match=said):
        build(folder)


def test_two_weight_files_are_refused(folder: Path) -> None:
    (folder / "weights.toml").write_text("q2 = 1")
    (folder / "weights.json").write_text('{"q2": 1}')
    with pytest.raises(UsageError, match=r"keep one of weights\.toml and weights.json"):
        build(folder)


def test_places_without_queries_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"has no \.sql file"):
        build(tmp_path)
    with pytest.raises(UsageError, match="no such file or folder"):
        build(tmp_path / "none.sql")
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git" / "hidden.sql").write_text("SELECT 1")
    with pytest.raises(UsageError, match=r"has no \.sql file"):
        build(tmp_path)
    (tmp_path / "latin.sql").write_bytes("SELECT 'ä'".encode("latin-1"))
    with pytest.raises(UsageError, match=r"latin\.sql is not UTF-8: byte 8"):
        build(tmp_path)


REFUSED = {
    "SELECT 1;\nSELECT 2 FRO t x y": r"own\.sql:2:14: syntax error at or near \"t\"",
    "SELECT 'ä' ,": r"own\.sql:1:13: syntax error at end of input",
    "SELECT 'abc": r"own\.sql:1:8: unterminated quoted string",
    "SELECT 1;\n  \\d orders\n": r"own\.sql:2:3: \\d is a command of psql's",
    "SELECT 1 \\gset": r"own\.sql:1:10: \\gset is a command of psql's",
    "\\set day 3\nSELECT 1": r"own\.sql:1:1: \\set is a command",
    "\\echo don't\nSELECT 1": r"own\.sql:1:1: \\echo is a command",
    "SELECT *\nFROM t\nWHERE d > :'day'": r"own\.sql:3:11: :'day' is a variable of psql's",
    "SELECT :day, 1": r"own\.sql:1:8: :day is a variable",
    "SELECT x FROM t WHERE a = $2 OR a = $1": r"own\.sql:1: the parameter \$1 has no value",
    "SELECT 1;\0": r"own\.sql:1: holds a NUL",
    "SELECT 1;\n\nINSERT INTO t VALUES (1)": r"own\.sql:3: this changes data; --allow-writes",
    "SELECT 1; VACUUM": r"own\.sql:1: this cannot be measured: it is maintenance",
}


@pytest.mark.parametrize("text", REFUSED)
def test_what_cannot_be_read_is_named_with_its_place(tmp_path: Path, text: str) -> None:
    with pytest.raises(UsageError, match=REFUSED[text]):
        made_of(tmp_path, text)


def test_slices_are_no_variables(tmp_path: Path) -> None:
    made = made_of(tmp_path, "SELECT a[b:c], '\\d', ':x', a::text FROM t -- :y \\z")
    assert len(made.queries) == 1


def test_writing_statements_are_marked_where_they_are_allowed(tmp_path: Path) -> None:
    made = made_of(tmp_path, "SELECT 1; DELETE FROM t; SELECT 2", WRITES)
    assert [query.writes for query in made.queries] == [False, True, False]


def test_equal_queries_with_other_values_share_a_template(tmp_path: Path) -> None:
    texts = ["SELECT x FROM t WHERE a = 1", "select x from t where a=2 /* ! */"]
    made = made_of(tmp_path, ";".join([*texts, "SELECT x FROM t WHERE b = 1"]))
    first, second, third = (query.template for query in made.queries)
    assert first == second != third


def test_a_comment_names_the_template_of_a_query(tmp_path: Path) -> None:
    texts = ["-- template: top\nSELECT a FROM t", "/* template: top */ SELECT b FROM t", "SELECT c"]
    made = made_of(tmp_path, ";\n".join(texts))
    assert [query.template for query in made.queries[:2]] == ["top", "top"]
    assert made.queries[2].template.startswith("sql-")


def test_queries_can_run_over_the_data_of_a_registered_workload(folder: Path) -> None:
    workload = build(folder, WorkloadOptions(scale=0.01, data_set="tpch"))
    assert workload.data_set == tpch_workload(0.01).data_set
    with pytest.raises(UnknownName, match="unknown data set 'tpc-h'"):
        build(folder, WorkloadOptions(data_set="tpc-h"))
    with pytest.raises(UsageError, match="not both"):
        build(folder, WorkloadOptions(data_set="tpch", database="shop"))
    assert build(folder, WorkloadOptions(database="shop")).data_set == ExistingDatabase(
        database="shop"
    )


def test_queries_written_to_a_file_are_read_back(folder: Path, tmp_path: Path) -> None:
    queries = build(folder).queries
    queries = (*queries[:-1], replace(queries[-1], template="synthesized-1f2e"))
    again = made_of(tmp_path, sql_text(queries)).queries
    assert [replace(q, place="") for q in again] == [replace(q, place="") for q in queries]
    assert digest(again) == digest(queries)


def test_a_comment_that_ends_a_statement_does_not_reach_into_the_next(tmp_path: Path) -> None:
    queries = (Query("a", "SELECT 1 -- by the report", "a"), Query("b", "/* shop */ SELECT 2", "b"))
    again = made_of(tmp_path, sql_text(queries)).queries
    assert [(query.id, query.sql) for query in again] == [("a", "SELECT 1"), ("b", "SELECT 2")]


def test_what_names_a_file_or_a_folder(tmp_path: Path) -> None:
    assert is_sql_path("report.sql")
    assert is_sql_path(str(tmp_path))
    assert is_sql_path("./queries")
    assert not is_sql_path("tpch")


def test_a_folder_named_like_a_workload_does_not_hide_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "tpch").mkdir()
    monkeypatch.chdir(tmp_path)
    assert registry.workload("tpch").data_set == tpch_workload(0.1).data_set
