"""TPC-C's rows: how many of each table there are, and what is in them.

Source: TPC-C specification 5.11, clause 4.3. Texts have the mean of the lengths that it
allows, initial orders have ten lines each, and last names are numbered (`NAME0` to
`NAME999`) and not put together from syllables.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from inspect import cleandoc
from itertools import count
from math import gcd

import numpy as np

from workloads.oltp.rows import Bytes, Columns, GeneratedRows, Integers, Rng, decimals, digits
from workloads.oltp.tpcc.schema import CREATE_TABLE, INDEXES
from workloads.workload import CsvSource, DataSet, Table

DISTRICTS = 10
"""Of each warehouse."""

LINES = 10
"""Of each initial order."""

NAMES = 1000
_UNDELIVERED = 0.3
"""The share of initial orders, the latest ones, that wait for delivery."""

_DISK_BYTES_PER_SCALE = 125_000_000
_DISK_BYTES_EMPTY = 24 << 20
_THEN = b"2024-01-01 00:00:00"


@dataclass(frozen=True, slots=True)
class Size:
    """How many of everything there are.

    Attributes:
        customers: of each district; it has as many initial orders.
        items: each is in every warehouse's stock.
    """

    warehouses: int
    customers: int
    items: int

    @classmethod
    def of(cls, scale: float) -> Size:
        """Whole warehouses; below 1, one warehouse with fewer customers and items."""
        share = min(scale, 1.0)
        return cls(max(1, round(scale)), max(20, round(3000 * share)), round(100_000 * share) or 1)

    @property
    def names(self) -> int:
        """How many last names each district has."""
        return min(self.customers, NAMES)

    @property
    def undelivered(self) -> int:
        """Initial orders of each district that wait for delivery."""
        return round(self.customers * _UNDELIVERED)

    @property
    def districts(self) -> int:
        """Of all warehouses."""
        return self.warehouses * DISTRICTS


@dataclass(frozen=True, slots=True)
class InTurn:
    """Several sources of rows for one table, one after the other."""

    parts: tuple[CsvSource, ...]

    def __call__(self) -> Iterator[bytes]:
        """The blocks of every part."""
        for part in self.parts:
            yield from part()


def tpcc_data_set(scale: float) -> DataSet:
    """The nine tables for `scale` warehouses."""
    rows = _rows(Size.of(scale))
    return DataSet(
        name=f"tpcc-sf{scale:.15g}",
        schema="tpcc",
        tables=tuple(
            Table(name, cleandoc(create), rows[name], indexes=INDEXES[name])
            for name, create in CREATE_TABLE.items()
        ),
        indexes=(),
        disk_bytes=_DISK_BYTES_EMPTY + int(_DISK_BYTES_PER_SCALE * scale),
    )


def _rows(size: Size) -> dict[str, CsvSource]:
    """Each table's source; the orders that wait come after the delivered ones."""
    first, waiting = size.customers - size.undelivered, size.undelivered
    done, open_ = _Orders(size, 0, first), _Orders(size, first, waiting)
    customers = size.districts * size.customers
    return {
        "warehouse": GeneratedRows(0, size.warehouses, _warehouses),
        "district": GeneratedRows(1, size.districts, _district_columns(size)),
        "customer": GeneratedRows(2, customers, _customer_columns(size)),
        "history": GeneratedRows(3, customers, _history_columns(size)),
        "new_order": GeneratedRows(4, size.districts * waiting, open_.new_orders),
        "orders": InTurn(
            (
                GeneratedRows(5, size.districts * first, done.delivered),
                GeneratedRows(6, size.districts * waiting, open_.undelivered),
            )
        ),
        "order_line": InTurn(
            (
                GeneratedRows(7, size.districts * first * LINES, done.delivered_lines),
                GeneratedRows(8, size.districts * waiting * LINES, open_.undelivered_lines),
            )
        ),
        "item": GeneratedRows(9, size.items, _items),
        "stock": GeneratedRows(10, size.warehouses * size.items, _stock_columns(size)),
    }


def _address(rng: Rng) -> list[Bytes | bytes]:
    return [rng.letters(15), rng.letters(15), rng.letters(15), rng.letters(2), b"123411111"]


def _warehouses(numbers: Integers, rng: Rng) -> list[Bytes | bytes]:
    tax = decimals(rng.integers(0, 2000), 1, 4)
    return [digits(numbers + 1, 6), rng.letters(8), *_address(rng), tax, b"300000.00"]


def _district_columns(size: Size) -> Columns:
    following = str(size.customers + 1).encode()

    def columns(numbers: Integers, rng: Rng) -> list[Bytes | bytes]:
        tax = decimals(rng.integers(0, 2000), 1, 4)
        text: list[Bytes | bytes] = [rng.letters(8), *_address(rng)]
        return [*_district(numbers), *text, tax, b"30000.00", following]

    return columns


def _district(numbers: Integers) -> list[Bytes | bytes]:
    """Warehouse and district, from the district's number in all warehouses."""
    return [digits(numbers // DISTRICTS + 1, 6), digits(numbers % DISTRICTS + 1, 2)]


def _customer_columns(size: Size) -> Columns:
    def columns(numbers: Integers, rng: Rng) -> list[Bytes | bytes]:
        place = numbers % size.customers
        drawn = (rng.integers(0, 255) | rng.integers(0, size.names - 1)) % size.names
        name = np.where(place < size.names, place, drawn)
        bad = rng.integers(1, 10) == 1
        credit = np.where(bad[:, None], _characters(b"BC"), _characters(b"GC"))
        discount = decimals(rng.integers(0, 5000), 1, 4)
        return [
            *_district(numbers // size.customers), digits(place + 1, 6),
            rng.letters(12), b"OE", _last_name(name), *_address(rng), rng.letters(16), _THEN,
            credit, b"50000.00", discount, b"-10.00", b"10.00", b"1", b"0", rng.letters(400),
        ]  # fmt: skip

    return columns


def _last_name(numbers: Integers) -> Bytes:
    return np.hstack([np.tile(_characters(b"NAME"), (len(numbers), 1)), digits(numbers, 3)])


def _characters(text: bytes) -> Bytes:
    return np.frombuffer(text, np.uint8)


def _history_columns(size: Size) -> Columns:
    def columns(numbers: Integers, rng: Rng) -> list[Bytes | bytes]:
        warehouse, district = _district(numbers // size.customers)
        customer = digits(numbers % size.customers + 1, 6)
        home = [district, warehouse]
        return [customer, *home, *home, _THEN, b"10.00", rng.letters(18)]

    return columns


@dataclass(frozen=True, slots=True)
class _Orders:
    """The columns of `each` orders of every district, from the one numbered `first` on."""

    size: Size
    first: int
    each: int

    def _key(self, numbers: Integers) -> list[Bytes | bytes]:
        order = self.first + numbers % self.each
        return [*_district(numbers // self.each), digits(order + 1, 6)]

    def new_orders(self, numbers: Integers, _rng: Rng) -> list[Bytes | bytes]:
        return self._key(numbers)

    def delivered(self, numbers: Integers, rng: Rng) -> list[Bytes | bytes]:
        return self._order(numbers, digits(rng.integers(1, 10), 2))

    def undelivered(self, numbers: Integers, _rng: Rng) -> list[Bytes | bytes]:
        return self._order(numbers, b"")

    def _order(self, numbers: Integers, carrier: Bytes | bytes) -> list[Bytes | bytes]:
        """Every customer has one of the orders; a stride shuffles them."""
        size = self.size
        stride = next(number for number in count(997) if gcd(number, size.customers) == 1)
        order = self.first + numbers % self.each
        customer = digits(order * stride % size.customers + 1, 6)
        return [*self._key(numbers), customer, _THEN, carrier, str(LINES).encode(), b"1"]

    def delivered_lines(self, numbers: Integers, rng: Rng) -> list[Bytes | bytes]:
        return self._lines(numbers, rng, _THEN, b"0.00")

    def undelivered_lines(self, numbers: Integers, rng: Rng) -> list[Bytes | bytes]:
        return self._lines(numbers, rng, b"", decimals(rng.integers(1, 999_999), 4))

    def _lines(
        self, numbers: Integers, rng: Rng, delivered: bytes, amount: Bytes | bytes
    ) -> list[Bytes | bytes]:
        order = self._key(numbers // LINES)
        item = digits(rng.integers(1, self.size.items), 6)
        line, home = digits(numbers % LINES + 1, 2), order[0]
        return [*order, line, item, home, delivered, b"5", amount, rng.letters(24)]


def _items(numbers: Integers, rng: Rng) -> list[Bytes | bytes]:
    price = decimals(rng.integers(100, 10_000), 3)
    image = digits(rng.integers(1, 10_000), 5)
    return [digits(numbers + 1, 6), image, rng.letters(19), price, rng.letters(38)]


def _stock_columns(size: Size) -> Columns:
    def columns(numbers: Integers, rng: Rng) -> list[Bytes | bytes]:
        key = [digits(numbers // size.items + 1, 6), digits(numbers % size.items + 1, 6)]
        districts = [rng.letters(24) for _ in range(DISTRICTS)]
        quantity = digits(rng.integers(10, 100), 3)
        return [*key, quantity, *districts, b"0", b"0", b"0", rng.letters(38)]

    return columns
