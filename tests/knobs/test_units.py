"""Amounts as people and as PostgreSQL write them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmtune.errors import UsageError
from llmtune.units import (
    format_memory,
    format_setting,
    parse_duration,
    parse_memory,
    parse_setting,
    unit_factor,
)

MEMORY_UNITS = ("B", "kB", "8kB", "MB")
TIME_UNITS = ("ms", "s", "min")


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("64kB", 65536),
        ("512MB", 512 << 20),
        ("512 MiB", 512 << 20),
        ("1.5GiB", 3 << 29),
        ("2g", 2 << 30),
        (4096, 4096),
    ],
)
def test_memory_is_read(text: str | int, size: int):
    assert parse_memory(text) == size


@pytest.mark.parametrize(
    "text", ["", "MB", "0.4B", "-1GB", "0", "3 parsecs", "1GB 2", "nan", "inf"]
)
def test_nonsense_memory_is_refused(text: str):
    with pytest.raises(UsageError):
        parse_memory(text)


@pytest.mark.parametrize(
    ("text", "seconds"), [("90", 90), ("45s", 45), ("30m", 1800), ("1.5h", 5400), ("2d", 172800)]
)
def test_duration_is_read(text: str, seconds: float):
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "soon", "-5m", "0", "5 weeks"])
def test_nonsense_duration_is_refused(text: str):
    with pytest.raises(UsageError):
        parse_duration(text)


@given(st.integers(1, 1 << 50))
def test_memory_for_people_is_the_amount_to_four_digits(size: int):
    assert parse_memory(format_memory(size)) == pytest.approx(size, rel=1e-3)


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (16384, "8kB", "128MB"),
        (65536, "kB", "64MB"),
        (1025, "kB", "1025kB"),
        (1024, "MB", "1GB"),
        (300, "s", "5min"),
        (2.5, "ms", "2500us"),
        (-1, "kB", "-1"),
        (0, "8kB", "0"),
        (0.1, None, "0.1"),
        (100, None, "100"),
        (10000000.0, None, "10000000"),
    ],
)
def test_settings_are_written_in_the_largest_whole_unit(value: float, unit: str, text: str):
    assert format_setting(value, unit) == text


@given(st.integers(0, 1 << 31), st.sampled_from(MEMORY_UNITS + TIME_UNITS))
def test_a_written_setting_reads_back_exactly(value: int, unit: str):
    assert parse_setting(format_setting(value, unit), unit) == value


def test_a_unit_of_another_family_is_refused_with_those_that_fit():
    with pytest.raises(UsageError, match="kB, MB, GB"):
        parse_setting("5min", "kB")
    with pytest.raises(UsageError, match="none"):
        parse_setting("5MB", None)


def test_unit_factors_are_bytes_and_seconds():
    assert [unit_factor(unit) for unit in (None, "8kB", "MB", "ms", "min")] == [
        1,
        8192,
        1 << 20,
        0.001,
        60,
    ]
