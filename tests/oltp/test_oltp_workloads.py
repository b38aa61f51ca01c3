"""The mixes themselves: options, shares, data, and statements that a server can plan."""

from __future__ import annotations

import math
import re

import pytest

from llmtune.errors import UsageError
from llmtune.postgres.load import database_name, ensure_loaded
from llmtune.postgres.profile import profile_workload
from llmtune.tuning.origin import measured_origin
from llmtune.tuning.requests import TargetRequest, WorkloadRequest
from workloads.objective import P95, THROUGHPUT
from workloads.oltp.mix import CLIENTS, DURATION_S
from workloads.options import WorkloadOptions

ALL = ("tpcb", "ycsb-a", "ycsb-b", "ycsb-c", "ycsb-d", "ycsb-e", "ycsb-f", "smallbank", "tpcc")


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"scale": 0.0}, "scale factor must be a positive number"),
        ({"scale": math.inf}, "scale factor must be a positive number"),
        ({"clients": 0}, "clients must be from 1 to"),
        ({"duration_s": 0.0}, "whole number of seconds"),
        ({"duration_s": 1.5}, "whole number of seconds"),
        ({"objective": "latency"}, "throughput or p95, not for 'latency'"),
        ({"objective": "speed"}, "throughput or p95, not for 'speed'"),
    ],
)
def test_unfit_options_are_refused(tiny, name, options, message):
    with pytest.raises(UsageError, match=message):
        tiny(name, **options)


@pytest.mark.parametrize("name", ALL)
def test_options_have_defaults(tiny, name):
    mix = tiny(name, clients=None, duration_s=None)
    assert (mix.objective, mix.clients, mix.duration_s) == (THROUGHPUT, CLIENTS, DURATION_S)
    assert tiny(name, objective="p95").objective == P95


@pytest.mark.parametrize(("given", "kept"), [(None, DURATION_S), (60.0, 60.0)])
def test_a_session_keeps_how_long_its_runs_last(tiny, given, kept):
    mix, options = tiny("tpcb", duration_s=given), WorkloadOptions(duration_s=given)
    request = WorkloadRequest("tpcb", options)
    origin = measured_origin(TargetRequest("embedded"), request, mix)
    assert (origin.options["duration_s"], origin.run_s) == (given, kept)


@pytest.mark.parametrize(
    ("name", "shares"),
    [
        ("tpcb", [100]),
        ("ycsb-a", [50, 50]),
        ("ycsb-b", [95, 5]),
        ("ycsb-c", [100]),
        ("ycsb-d", [95, 5]),
        ("ycsb-e", [95, 5]),
        ("ycsb-f", [50, 50]),
        ("smallbank", [15, 15, 15, 25, 15, 15]),
        ("tpcc", [45, 43, 4, 4, 4]),
    ],
)
def test_the_shares_are_the_published_ones(tiny, name, shares):
    assert [one.weight for one in tiny(name).transactions] == shares


@pytest.mark.parametrize("name", ALL)
def test_the_seed_draws_requests_and_not_the_data(tiny, name):
    one, other = tiny(name, seed=1), tiny(name, seed=2)
    assert one.name != other.name
    assert database_name(one.data_set) == database_name(other.data_set)
    first = one.data_set.tables[0].rows
    assert b"".join(first()) == b"".join(first()) == b"".join(other.data_set.tables[0].rows())


def test_all_of_ycsb_shares_one_data_set(tiny):
    names = {database_name(tiny(f"ycsb-{letter}").data_set) for letter in "abcdef"}
    assert len(names) == 1


@pytest.mark.parametrize("name", ALL)
def test_every_statement_can_be_planned(tiny, embedded, name):
    mix = tiny(name)
    with embedded.connect(ensure_loaded(embedded, mix.data_set)) as connection:
        profile = profile_workload(connection, mix, embedded.hardware, embedded.version)
    assert profile.kind == ("analytic" if name == "ycsb-c" else "mixed")
    assert profile.clients == 4
    writing = {query.id for query in mix.queries if query.writes}
    planned = {q.query_id for q in profile.queries if "write" in q.features.operators}
    assert writing == planned


@pytest.mark.parametrize("name", ALL)
def test_every_statement_is_explained_with_values(tiny, name):
    mix = tiny(name)
    assert not [q.id for q in mix.queries if re.search(r"(?<!:):[a-z]", q.sql)]
    assert {query.id.partition(".")[0] for query in mix.queries} == {
        one.id for one in mix.transactions
    }


def test_tpcc_rows_agree_with_each_other(tiny, embedded):
    mix = tiny("tpcc", scale=0.01)
    checks = {
        "customers without an order of theirs": """
            SELECT count(*) FROM customer LEFT JOIN orders
            ON (o_w_id, o_d_id, o_c_id) = (c_w_id, c_d_id, c_id) WHERE o_id IS NULL""",
        "orders whose number of lines is another": """
            SELECT count(*) FROM orders WHERE o_ol_cnt <> (SELECT count(*) FROM order_line
            WHERE (ol_w_id, ol_d_id, ol_o_id) = (o_w_id, o_d_id, o_id))""",
        "orders that wait and are delivered, or neither": """
            SELECT count(*) FROM orders LEFT JOIN new_order
            ON (no_w_id, no_d_id, no_o_id) = (o_w_id, o_d_id, o_id)
            WHERE (o_carrier_id IS NULL) = (no_o_id IS NULL)""",
        "districts whose next order is another": """
            SELECT count(*) FROM district WHERE d_next_o_id <> (SELECT max(o_id) + 1 FROM orders
            WHERE (o_w_id, o_d_id) = (d_w_id, d_id))""",
        "lines of items that are not in stock": """
            SELECT count(*) FROM order_line LEFT JOIN stock
            ON (s_w_id, s_i_id) = (ol_w_id, ol_i_id) WHERE s_i_id IS NULL""",
        "lines with a delivery that their order has not": """
            SELECT count(*) FROM order_line JOIN orders
            ON (o_w_id, o_d_id, o_id) = (ol_w_id, ol_d_id, ol_o_id)
            WHERE (o_carrier_id IS NULL) <> (ol_delivery_d IS NULL)""",
    }
    with embedded.connect(ensure_loaded(embedded, mix.data_set)) as connection:
        wrong = {what: connection.execute(query).fetchone()[0] for what, query in checks.items()}
        orders = connection.execute("SELECT count(*) FROM orders").fetchone()[0]
    assert wrong == dict.fromkeys(checks, 0)
    assert orders == 10 * 30


def test_tpcc_has_a_scale_of_whole_warehouses(tiny):
    tables = {table.name: table.rows for table in tiny("tpcc", scale=2).data_set.tables}
    assert tables["warehouse"].count == 2
    assert (tables["customer"].count, tables["stock"].count) == (60_000, 200_000)
