"""A data set is loaded once, completely or not at all, and never without the room for it."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from llmtune.errors import LoadError
from llmtune.postgres.load import database_name, ensure_loaded
from llmtune.postgres.target import Target
from workloads.tpch import tpch_workload
from workloads.workload import DataSet, Table

CREATE = "CREATE TABLE item (id integer NOT NULL, words text)"


class Rows:
    """A thousand rows, counting how often they are asked for; `fault` breaks them off."""

    def __init__(self, fault: Exception | None = None) -> None:
        self.reads = 0
        self.fault = fault

    def __call__(self) -> Iterator[bytes]:
        self.reads += 1
        for number in range(1000):
            yield f'{number},"some, ""words"""\n'.encode()
            if number == 500 and self.fault is not None:
                raise self.fault


def data_set(
    rows: Rows,
    name: str = "items",
    index: str = "ALTER TABLE item ADD PRIMARY KEY (id)",
    last: str = "ALTER TABLE item ADD FOREIGN KEY (id) REFERENCES item",
) -> DataSet:
    table = Table("item", CREATE, rows, indexes=(index,))
    return DataSet(name, "items", (table,), (last,), 1 << 20)


def databases(target: Target) -> set[str]:
    with target.connect() as connection:
        found = connection.execute("SELECT datname FROM pg_database").fetchall()
    return {name for (name,) in found}


def test_rows_keys_and_statistics_are_there(embedded: Target) -> None:
    database = ensure_loaded(embedded, data_set(Rows(), "Items, all of them!"))
    with embedded.connect(database) as connection:
        values = connection.execute("SELECT count(*), min(words) FROM item").fetchone()
        known = connection.execute(
            "SELECT reltuples, relallvisible = relpages FROM pg_class WHERE relname = 'item'"
        ).fetchone()
        keys = connection.execute(
            "SELECT count(*) FROM pg_index WHERE indisprimary AND indrelid = 'item'::regclass"
        ).fetchone()
    assert (values, known, keys) == ((1000, 'some, "words"'), (1000.0, True), (1,))


def test_the_second_call_loads_nothing(embedded: Target) -> None:
    rows = Rows()
    first = ensure_loaded(embedded, data_set(rows, "once"))
    assert ensure_loaded(embedded, data_set(rows, "once")) == first
    assert rows.reads == 1


def test_two_calls_at_once_load_once(embedded: Target) -> None:
    rows = Rows()
    with ThreadPoolExecutor(2) as pool:
        loads = [pool.submit(ensure_loaded, embedded, data_set(rows, "at-once")) for _ in "ab"]
        names = {load.result(timeout=60) for load in loads}
    assert (len(names), rows.reads) == (1, 1)


def test_a_changed_definition_gets_a_database_of_its_own() -> None:
    plain, indexed = data_set(Rows()), data_set(Rows(), index="CREATE INDEX ON item (id)")
    assert database_name(plain) == database_name(data_set(Rows()))
    assert len({database_name(plain), database_name(indexed)}) == 2
    assert len(database_name(replace(plain, name="x" * 500)) + "_unfinished") <= 63


@pytest.mark.parametrize(
    "broken",
    [
        data_set(Rows(LoadError("the source broke off")), "broken-source"),
        data_set(Rows(), "broken-index", index="CREATE INDEX ON item (nothing)"),
        data_set(Rows(), "broken-key", last="ALTER TABLE item ADD CHECK (nothing)"),
    ],
    ids=["source", "index", "key"],
)
def test_a_failed_load_leaves_nothing(embedded: Target, broken: DataSet) -> None:
    before = databases(embedded)
    with pytest.raises(LoadError, match=r"broke off|nothing"):
        ensure_loaded(embedded, broken)
    assert databases(embedded) == before


def test_an_interrupted_load_leaves_nothing(embedded: Target) -> None:
    before = databases(embedded)

    def interrupt(doing: str, fraction: float) -> None:
        if doing == "keys and indexes":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ensure_loaded(embedded, data_set(Rows(), "interrupted"), interrupt)
    assert databases(embedded) == before


def test_a_failed_copy_ends_the_index_under_way(embedded: Target) -> None:
    before = databases(embedded)
    first = Table("item", CREATE, Rows(), indexes=("SELECT pg_sleep(600)",))
    second = Table("thing", "CREATE TABLE thing (id int)", Rows(LoadError("the source broke off")))
    broken = DataSet("broken-second", "items", (first, second), (), 1 << 20)
    with pytest.raises(LoadError, match=r"broke off|thing"):
        ensure_loaded(embedded, broken)
    assert databases(embedded) == before


def test_a_refused_load_waits_for_no_index_that_never_began(embedded: Target) -> None:
    before = databases(embedded)
    slow = Table("item", CREATE, Rows(), indexes=("SELECT pg_sleep(600)",))
    waiting = Table("thing", "CREATE TABLE thing (id int, words text)", Rows(), row_count=3)
    with pytest.raises(LoadError, match="thing has 1000 rows, not 3"):
        ensure_loaded(embedded, DataSet("refused", "items", (slow, waiting), (), 1 << 20))
    assert databases(embedded) == before


def test_a_killed_loads_database_is_dropped_by_the_next(embedded: Target) -> None:
    leftover = database_name(data_set(Rows(), "killed")) + "_unfinished"
    with embedded.connect() as connection:
        connection.execute(f"CREATE DATABASE {leftover}")
    ensure_loaded(embedded, data_set(Rows(), "after-killed"))
    assert leftover not in databases(embedded)


def test_too_little_disk_is_said_before_anything_is_loaded(embedded: Target) -> None:
    rows, before = Rows(), databases(embedded)
    with pytest.raises(LoadError, match=r"huge needs 1024TiB of disk space, but .* free"):
        ensure_loaded(embedded, replace(data_set(rows, "huge"), disk_bytes=1 << 50))
    assert (rows.reads, databases(embedded)) == (0, before)


def test_progress_rises_to_one(embedded: Target) -> None:
    seen: list[tuple[str, float]] = []
    ensure_loaded(embedded, data_set(Rows(), "progress"), lambda *step: seen.append(step))
    fractions = [fraction for _, fraction in seen]
    assert fractions == sorted(fractions)
    assert seen[-1] == ("loaded", 1.0)
    assert {"copy item", "keys and indexes", "foreign keys"} <= {doing for doing, _ in seen}


def test_tpch_arrives_whole(embedded: Target, tpch_tiny: str) -> None:
    assert tpch_tiny == database_name(tpch_workload(0.01).data_set)
    with embedded.connect(tpch_tiny) as connection:
        rows = connection.execute("SELECT count(*), sum(l_quantity) FROM lineitem").fetchone()
        constraints = connection.execute(
            "SELECT contype::text, count(*) FROM pg_constraint"
            " WHERE contype IN ('p', 'f') AND convalidated"
            " AND connamespace = 'public'::regnamespace GROUP BY contype ORDER BY 1"
        ).fetchall()
        size = connection.execute("SELECT pg_database_size(current_database())").fetchone()
    assert rows == (60175, 1536127)
    assert size == (pytest.approx(tpch_workload(0.01).data_set.disk_bytes, rel=0.5),)
    assert constraints == [("f", 8), ("p", 8)]
