from __future__ import annotations

import pytest

from llmtune.errors import DatasetError, UnknownName, UsageError
from llmtune.postgres.embedded import EmbeddedTarget
from llmtune.postgres.profile import Profile, profile_workload
from workloads.tpch import tpch_workload
from workloads.workload import ExistingDatabase, Query, Workload

TPCH = tpch_workload(0.01, 1)


@pytest.fixture(scope="module")
def profile(embedded: EmbeddedTarget, tpch_tiny: str) -> Profile:
    with embedded.connect(tpch_tiny) as connection:
        return profile_workload(connection, TPCH, embedded.hardware, embedded.version)


def test_it_describes_every_query(profile: Profile) -> None:
    assert [q.query_id for q in profile.queries] == [q.id for q in TPCH.queries]
    assert profile.kind == "analytic"
    by_id = {q.query_id: q.features for q in profile.queries}
    assert {scan.table for scan in by_id["q1"].scans} == {"lineitem"}
    assert by_id["q1"].operators["sort"] >= 1
    assert all(features.total_cost > 0 for features in by_id.values())


def test_json_round_trip(profile: Profile) -> None:
    text = profile.to_json()
    assert "\n" not in text
    assert Profile.from_json(text) == profile


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"kind": 1}', "null"])
def test_what_is_not_a_profile_is_refused(text: str) -> None:
    with pytest.raises(DatasetError, match="not a profile"):
        Profile.from_json(text)


def test_a_mix_is_the_profile_of_the_mixed_workload(
    profile: Profile, embedded: EmbeddedTarget, tpch_tiny: str
) -> None:
    weights = {"q3": 2.0, "q18": 0.5}
    queries = tuple(
        Query(q.id, q.sql, q.template, weights[q.id]) for q in TPCH.queries if q.id in weights
    )
    mixed = Workload("mix", queries, TPCH.data_set)
    with embedded.connect(tpch_tiny) as connection:
        taken = profile_workload(connection, mixed, embedded.hardware, embedded.version)
    assert profile.mix(weights) == taken


def test_a_mix_of_nothing_or_of_strangers_is_refused(profile: Profile) -> None:
    with pytest.raises(UnknownName, match="q99"):
        profile.mix({"q99": 1.0})
    with pytest.raises(UsageError, match="q1 must be positive"):
        profile.mix({"q1": 0.0})
    with pytest.raises(UsageError, match="at least one"):
        profile.mix({})


def test_it_is_the_same_whatever_the_session_s_settings(
    profile: Profile, embedded: EmbeddedTarget, tpch_tiny: str
) -> None:
    settings = {"work_mem": "1GB", "enable_hashjoin": "off", "random_page_cost": "1"}
    with embedded.connect(tpch_tiny, settings) as connection:
        again = profile_workload(connection, TPCH, embedded.hardware, embedded.version)
    assert again == profile


def test_tables_off_the_search_path_are_known_by_the_names_in_plans(
    embedded: EmbeddedTarget,
) -> None:
    with embedded.connect() as control:
        control.execute("CREATE DATABASE pathless")
        with embedded.connect("pathless") as connection:
            connection.execute(
                "CREATE SCHEMA app; CREATE SCHEMA old;"
                " CREATE TABLE app.orders AS SELECT n FROM generate_series(1, 50000) AS n;"
                " CREATE TABLE app.city (n integer); CREATE TABLE old.city (n integer);"
                " CREATE TABLE app.person (n integer); CREATE TABLE person (n integer);"
                " ANALYZE"
            )
            query = Query("q", "SELECT sum(n) FROM app.orders", "q")
            own = Workload("own", (query,), ExistingDatabase("own"))
            taken = profile_workload(connection, own, embedded.hardware, embedded.version)
        control.execute("DROP DATABASE pathless WITH (FORCE)")
    largest, *others = taken.tables
    (scan,) = taken.queries[0].features.scans
    assert scan.table == largest.name == "orders"
    assert {one.name for one in others} == {"app.city", "old.city", "app.person", "person"}


def test_writes_make_a_mixed_workload(embedded: EmbeddedTarget, tpch_tiny: str) -> None:
    write = Query("w", "UPDATE region SET r_comment = '' WHERE r_regionkey = 1", "w")
    mixed = Workload("w", (write,), TPCH.data_set)
    with embedded.connect(tpch_tiny) as connection:
        taken = profile_workload(connection, mixed, embedded.hardware, embedded.version)
    assert taken.kind == "mixed"
