"""Predicates and distributions without a server."""
# ruff: noqa: S311 - draws for tests, not secrets

import math
from bisect import bisect_left
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmtune.postgres.synthesis.distribution import Statistics, distribution, from_sample
from workloads.synthesis.facts import Column, Family, Step
from workloads.synthesis.predicates import can_filter, draw_predicate

UNIFORM = Statistics(nulls=0.0, distinct=1000.0, bounds=tuple(str(v) for v in range(0, 1001, 10)))


def column(statistics: Statistics, family: Family) -> Column:
    known = distribution(statistics, family)
    return Column(
        name="x",
        sql='"x"',
        type="int4",
        family=family,
        nulls=statistics.nulls,
        distinct=statistics.distinct,
        values=known.values,
        ladder=known.ladder,
        prefixes=known.prefixes,
    )


@given(seed=st.integers(), exponent=st.floats(-2, 0))
def test_a_wide_distribution_gives_any_share(seed: int, exponent: float) -> None:
    drawn = draw_predicate(Random(seed), column(UNIFORM, Family.NUMBER), "t1", 10**exponent)
    assert drawn is not None
    assert abs(math.log(drawn.share / 10**exponent)) <= math.log(3.001)
    assert drawn.sql.startswith('t1."x" ')


def test_equal_generators_draw_equal_predicates() -> None:
    drawn = {draw_predicate(Random(3), column(UNIFORM, Family.NUMBER), "t1", 0.2) for _ in range(9)}
    assert len(drawn) == 1


numbers = st.lists(st.one_of(st.none(), st.integers(-50, 50)), min_size=30, max_size=400)


@given(values=numbers.filter(lambda values: any(value is not None for value in values)))
def test_the_ladder_of_a_sample_is_its_cumulative_distribution(values: list[int | None]) -> None:
    texts = [None if value is None else str(value) for value in values]
    statistics = from_sample(texts, Family.NUMBER)
    present = sorted(value for value in values if value is not None)
    assert statistics.nulls == pytest.approx(1 - len(present) / len(values))
    for step in distribution(statistics, Family.NUMBER).ladder:
        below = bisect_left(present, int(step.sql)) / len(values)
        assert step.below == pytest.approx(below, abs=0.1)


@given(values=numbers.filter(lambda values: any(value is not None for value in values)))
def test_shares_of_values_are_theirs_in_the_sample(values: list[int | None]) -> None:
    texts = [None if value is None else str(value) for value in values]
    known = distribution(from_sample(texts, Family.NUMBER), Family.NUMBER)
    for value in known.values:
        true = sum(one is not None and str(one) == value.sql for one in values) / len(values)
        assert value.share == pytest.approx(true, abs=1e-9)


def test_values_with_quotes_and_backslashes_are_quoted() -> None:
    statistics = Statistics(0.0, 2.0, ("it's", "a\\b"), (0.5, 0.5))
    assert [value.sql for value in distribution(statistics, Family.TEXT).values] == [
        "'it''s'",
        "E'a\\\\b'",
    ]


def test_prefixes_tell_how_many_rows_they_match_and_hold_no_wildcards() -> None:
    statistics = Statistics(0.0, 3.0, ("a%x", "abc", "abd"), (0.5, 0.3, 0.1))
    shares = {value.sql: value.share for value in distribution(statistics, Family.TEXT).prefixes}
    assert shares == pytest.approx(
        {"'a%'": 0.9, "'ab%'": 0.4, "'abc%'": 0.3, "'abd%'": 0.1}, abs=1e-9
    )


def test_nothing_is_drawn_where_nothing_is_known() -> None:
    unknown = Column("x", '"x"', "jsonb", Family.OTHER, 0.0, 5.0)
    assert not can_filter(unknown)
    assert draw_predicate(Random(1), unknown, "t1", 0.1) is None


def test_a_distribution_that_falls_is_refused() -> None:
    with pytest.raises(ValueError, match="must ascend"):
        Column("x", '"x"', "int4", Family.NUMBER, 0, 2, ladder=(Step("1", 0.5), Step("2", 0.1)))
