"""Substitution parameters: the same for a seed, and within the specification's ranges."""

import string
from collections.abc import Callable
from datetime import date

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmtune.postgres.target import Target
from workloads.tpch import tpch_workload
from workloads.tpch import vocabulary as words
from workloads.tpch.parameters import (
    NUMBERS,
    Parameters,
    drawn_parameters,
    validation_parameters,
)
from workloads.tpch.workload import fill, template_text

SEEDS = st.integers(0, 2**32)


def month_within(text: str, first: str, last: str) -> bool:
    return text.endswith("-01") and first <= text[:7] <= last


def year(parameters: Parameters) -> bool:
    return parameters["date"] in [f"{number}-01-01" for number in range(1993, 1998)]


def nation(parameters: Parameters) -> bool:
    return parameters["nation"] in words.NATIONS


def within(text: str, low: int, high: int) -> bool:
    return low <= int(text) <= high


def part_type(text: str) -> bool:
    size, finish, metal = text.split(" ")
    return size in words.TYPE_SIZES and finish in words.TYPE_FINISHES and metal in words.TYPE_METALS


def eight_sizes(parameters: Parameters) -> bool:
    sizes = {parameters[f"size{place}"] for place in range(1, 9)}
    return len(sizes) == 8 and all(within(size, 1, 50) for size in sizes)


def seven_codes(parameters: Parameters) -> bool:
    codes = {parameters[f"code{place}"] for place in range(1, 8)}
    return len(codes) == 7 and all(within(code, 10, 34) for code in codes)


def two_of_brand(text: str) -> bool:
    return text.startswith("Brand#") and all(digit in "12345" for digit in text[6:])


LAWS: dict[int, Callable[[Parameters], bool]] = {
    1: lambda p: within(p["delta"], 60, 120),
    2: lambda p: (
        within(p["size"], 1, 50) and p["type"] in words.TYPE_METALS and p["region"] in words.REGIONS
    ),
    3: lambda p: p["segment"] in words.SEGMENTS and "1995-03-01" <= p["date"] <= "1995-03-31",
    4: lambda p: month_within(p["date"], "1993-01", "1997-10"),
    5: lambda p: p["region"] in words.REGIONS and year(p),
    6: lambda p: year(p) and 0.02 <= float(p["discount"]) <= 0.09 and within(p["quantity"], 24, 25),
    7: lambda p: p["nation1"] != p["nation2"] and {p["nation1"], p["nation2"]} <= {*words.NATIONS},
    8: lambda p: words.NATIONS[p["nation"]] == p["region"] and part_type(p["type"]),
    9: lambda p: p["color"] in words.COLORS,
    10: lambda p: month_within(p["date"], "1993-02", "1995-01"),
    11: lambda p: nation(p) and float(p["fraction"]) == pytest.approx(0.0001 / 0.1),
    12: lambda p: (
        p["shipmode1"] != p["shipmode2"]
        and {p["shipmode1"], p["shipmode2"]} <= {*words.SHIP_MODES}
        and year(p)
    ),
    13: lambda p: p["word1"] in words.COMMENT_ADJECTIVES and p["word2"] in words.COMMENT_NOUNS,
    14: lambda p: month_within(p["date"], "1993-01", "1997-12"),
    15: lambda p: month_within(p["date"], "1993-01", "1997-10"),
    16: lambda p: two_of_brand(p["brand"]) and part_type(f"{p['type']} TIN") and eight_sizes(p),
    17: lambda p: (
        two_of_brand(p["brand"])
        and p["container"].split(" ")[0] in words.CONTAINER_SIZES
        and p["container"].split(" ")[1] in words.CONTAINER_KINDS
    ),
    18: lambda p: within(p["quantity"], 312, 315),
    19: lambda p: (
        within(p["quantity1"], 1, 10)
        and within(p["quantity2"], 10, 20)
        and within(p["quantity3"], 20, 30)
        and all(two_of_brand(p[f"brand{place}"]) for place in (1, 2, 3))
    ),
    20: lambda p: p["color"] in words.COLORS and year(p) and nation(p),
    21: nation,
    22: seven_codes,
}


@given(number=st.sampled_from(NUMBERS), seed=SEEDS, stream=st.integers(1, 1000))
def test_drawn_values_lie_in_their_ranges(number: int, seed: int, stream: int) -> None:
    parameters = drawn_parameters(number, 0.1, seed, stream)
    assert LAWS[number](parameters), parameters
    if "date" in parameters:
        assert date.fromisoformat(parameters["date"])


@pytest.mark.parametrize("number", NUMBERS)
def test_validation_values_fill_exactly_the_placeholders(number: int) -> None:
    placeholders = {name for _, name, _, _ in string.Formatter().parse(template_text(number))}
    assert placeholders - {None} == validation_parameters(number, 1.0).keys()


@given(number=st.sampled_from(NUMBERS), seed=SEEDS)
def test_drawn_values_fill_exactly_the_placeholders(number: int, seed: int) -> None:
    drawn = drawn_parameters(number, 1.0, seed)
    assert drawn.keys() == validation_parameters(number, 1.0).keys()
    assert "{" not in fill(number, drawn)


@given(seed=SEEDS)
def test_a_seed_gives_the_same_queries_again(seed: int) -> None:
    assert tpch_workload(1.0, seed).queries == tpch_workload(1.0, seed).queries


def test_another_seed_or_stream_gives_other_queries() -> None:
    first, second = drawn_parameters(16, 1.0, 1, 1), drawn_parameters(16, 1.0, 2, 1)
    assert first != second
    assert first != drawn_parameters(16, 1.0, 1, 2)


def test_a_seed_keeps_its_meaning_over_versions() -> None:
    assert drawn_parameters(9, 1.0, 7) == {"color": "purple"}
    assert " ".join(drawn_parameters(22, 1.0, 7).values()) == "32 21 11 15 24 16 30"


@given(scale=st.floats(1e-3, 1e5))
def test_q11s_fraction_is_written_without_an_exponent(scale: float) -> None:
    text = validation_parameters(11, scale)["fraction"]
    assert "e" not in text
    assert float(text) == pytest.approx(0.0001 / scale, rel=1e-3)


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("SELECT DISTINCT unnest(string_split(p_name, ' ')) FROM part", words.COLORS),
        (
            "SELECT DISTINCT p_type FROM part",
            [
                f"{size} {finish} {metal}"
                for size in words.TYPE_SIZES
                for finish in words.TYPE_FINISHES
                for metal in words.TYPE_METALS
            ],
        ),
        (
            "SELECT DISTINCT p_container FROM part",
            [f"{size} {kind}" for size in words.CONTAINER_SIZES for kind in words.CONTAINER_KINDS],
        ),
        ("SELECT DISTINCT p_brand FROM part", words.BRANDS),
        ("SELECT DISTINCT c_mktsegment FROM customer", words.SEGMENTS),
        ("SELECT DISTINCT l_shipmode FROM lineitem", words.SHIP_MODES),
        ("SELECT r_name FROM region", words.REGIONS),
        ("SELECT DISTINCT substring(c_phone, 1, 2) FROM customer", words.COUNTRY_CODES),
    ],
)
def test_vocabulary_is_that_of_the_rows(
    sql: str, expected: tuple[str, ...], duck: duckdb.DuckDBPyConnection
) -> None:
    found = [word for (word,) in duck.execute(sql).fetchall()]
    assert sorted(found) == sorted(expected)


def test_nations_and_their_regions_are_those_of_the_rows(
    duck: duckdb.DuckDBPyConnection,
) -> None:
    sql = "SELECT n_name, r_name FROM nation, region WHERE n_regionkey = r_regionkey"
    rows = duck.execute(f"{sql} ORDER BY n_nationkey").fetchall()
    assert rows == list(words.NATIONS.items())


def test_every_drawn_query_can_be_planned(embedded: Target, tpch_tiny: str) -> None:
    workload = tpch_workload(0.01, seed=5, streams=10)
    with embedded.connect(tpch_tiny) as connection:
        plans = [connection.execute(f"EXPLAIN {q.sql}").fetchall() for q in workload.queries]
    assert len(plans) == 220
    assert all(plans)
