"""The dimension tables: customers, suppliers and parts of TPC-H, and the calendar.

Source: O'Neil et al., "The Star Schema Benchmark", sections 3.2 to 3.5. What TPC-H
does not have, the last digits of cities and brands, is hashed from the row's key.
"""

from __future__ import annotations

import calendar
from collections.abc import Iterator
from datetime import date
from typing import Any

from workloads.ssb.arrow import days, folded, tpch_tables
from workloads.ssb.sizes import KEPT_ONE_IN, part_count
from workloads.ssb.vocabulary import BRANDS_IN_CATEGORY, CITIES_IN_NATION, HOLIDAYS, SEASONS
from workloads.ssb.vocabulary import city as city_name
from workloads.tpch.vocabulary import NATIONS

CUSTOMER_COLUMNS = {
    "key": "int32",
    "name": "string",
    "address": "string",
    "nation": "int32",
    "phone": "string",
    "acctbal": None,
    "mktsegment": "string",
    "comment": None,
}
SUPPLIER_COLUMNS = {name: kind for name, kind in CUSTOMER_COLUMNS.items() if name != "mktsegment"}
PART_COLUMNS = {
    "key": "int32",
    "name": "string",
    "mfgr": None,
    "brand": "string",
    "type": "string",
    "size": "int32",
    "container": "string",
    "retailprice": None,
    "comment": None,
}
ADDRESS_LENGTH = 25


def customer_rows(scale: float) -> Iterator[bytes]:
    """Every fifth of TPC-H's customers, as blocks of CSV."""
    for table in _blocks("customer", scale, CUSTOMER_COLUMNS):
        yield _csv(zip(*_place_columns(table), _texts(table["mktsegment"]), strict=True))


def supplier_rows(scale: float) -> Iterator[bytes]:
    """Every fifth of TPC-H's suppliers, as blocks of CSV."""
    for table in _blocks("supplier", scale, SUPPLIER_COLUMNS):
        yield _csv(zip(*_place_columns(table), strict=True))


def part_rows(scale: float) -> Iterator[bytes]:
    """TPC-H's first parts, as many as this benchmark has, as blocks of CSV."""
    import pyarrow.compute as pc

    count = part_count(scale)
    for table in tpch_tables("part", scale, PART_COLUMNS):
        kept = table.filter(pc.less_equal(table["key"], count))
        if not kept.num_rows:
            return
        yield _csv(map(_part, *(column.to_pylist() for column in kept.columns)))


def date_rows() -> Iterator[bytes]:
    """Every day of the seven years, as one block of CSV."""
    yield _csv(map(_day, days()))


def _blocks(name: str, scale: float, columns: dict[str, str | None]) -> Iterator[Any]:
    for table in tpch_tables(name, scale, columns):
        kept = table.filter((table["key"].to_numpy() - 1) % KEPT_ONE_IN == 0)
        if kept.num_rows:
            yield kept


def _place_columns(table: Any) -> Iterator[list[object]]:
    """Key, name, address, city, nation, region and phone."""
    nations = list(NATIONS)
    keys = folded(table["key"], KEPT_ONE_IN).tolist()
    named = [nations[number] for number in table["nation"].to_pylist()]
    yield keys
    yield _texts(table["name"])
    yield [_quoted(text[:ADDRESS_LENGTH]) for text in table["address"].to_pylist()]
    yield [
        city_name(nation, _digits(key, CITIES_IN_NATION))
        for key, nation in zip(keys, named, strict=True)
    ]
    yield list(named)
    yield [NATIONS[nation] for nation in named]
    yield _texts(table["phone"])


def _part(
    key: int, name: str, brand: str, kind: str, size: int, container: str
) -> tuple[object, ...]:
    """TPC-H's `Brand#23` tells maker 2 and category 23; its names are of five colours."""
    first, second, color, *_ = name.split(" ")
    category = f"MFGR#{brand[-2:]}"
    line = _digits(key, BRANDS_IN_CATEGORY) + 1
    own = f"{category}{line:02d}"
    return key, f"{first} {second}", category[:-1], category, own, color, kind, size, container


def _day(day: date) -> tuple[object, ...]:
    week_day = day.isoweekday() % 7  # Sunday begins the week
    in_year = day.timetuple().tm_yday
    last = calendar.monthrange(day.year, day.month)[1]
    month, weekday = calendar.month_name[day.month], calendar.day_name[day.weekday()]
    return (
        f"{day:%Y%m%d}",
        _quoted(f"{month} {day.day}, {day.year}"),
        weekday,
        month,
        day.year,
        f"{day:%Y%m}",
        f"{month[:3]}{day.year}",
        week_day + 1,
        day.day,
        in_year,
        day.month,
        (in_year - 1) // 7 + 1,
        SEASONS[day.month],
        week_day == 6,
        day.day == last,
        (day.month, day.day) in HOLIDAYS,
        0 < week_day < 6,
    )


def _digits(key: int, count: int) -> int:
    """A number below `count` that looks random but always belongs to the key (Knuth's hash)."""
    return (key * 2_654_435_761 % 2**32 * count) >> 32


def _texts(column: Any) -> list[object]:
    return list(column.to_pylist())


def _quoted(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'


def _csv(rows: Any) -> bytes:
    return "".join(",".join(map(str, row)) + "\n" for row in rows).encode()
