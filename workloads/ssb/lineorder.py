"""The fact table: TPC-H's lineitem and orders merged as they stream by.

Both come in the order of their keys, so that the merge holds a block of each and
nothing more, whatever the scale.

Source: O'Neil et al., "The Star Schema Benchmark", section 3.1.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from workloads.ssb.arrow import as_csv, cents, datekeys, folded, tpch_tables
from workloads.ssb.sizes import KEPT_ONE_IN, part_count

ITEM_COLUMNS = {
    "l_orderkey": "int64",
    "l_partkey": "int32",
    "l_suppkey": "int32",
    "l_linenumber": "int32",
    "l_quantity": "int32",
    "l_extendedprice": "float64",
    "l_discount": "float64",
    "l_tax": "float64",
    "l_returnflag": None,
    "l_linestatus": None,
    "l_shipdate": None,
    "l_commitdate": "date32",
    "l_receiptdate": None,
    "l_shipinstruct": None,
    "l_shipmode": "string",
    "l_comment": None,
}
"""TPC-H's columns in their order, with the type of those that are read."""

ORDER_COLUMNS = {
    "o_orderkey": "int64",
    "o_custkey": "int32",
    "o_orderstatus": None,
    "o_totalprice": "float64",
    "o_orderdate": "date32",
    "o_orderpriority": "string",
    "o_clerk": None,
    "o_shippriority": "int32",
    "o_comment": None,
}


def lineorder_rows(scale: float) -> Iterator[bytes]:
    """The rows as blocks of CSV.

    Raises:
        LoadError: the generator is not installed or failed.
    """
    parts = part_count(scale)
    orders = _Orders(tpch_tables("orders", scale, ORDER_COLUMNS))
    for items in tpch_tables("lineitem", scale, ITEM_COLUMNS):
        yield as_csv(_merged(items, orders.of(items["l_orderkey"].to_numpy()), parts))


class _Orders:
    """The orders of one block of items after the other, of which only those are held."""

    def __init__(self, tables: Iterator[Any]) -> None:
        self._tables = tables
        self._held = next(tables)

    def of(self, keys: Any) -> Any:
        """One row for each of these order keys, which ascend from call to call."""
        import pyarrow as pa

        while self._keys()[-1] < keys[-1]:
            self._held = pa.concat_tables([self._from(keys[0]), next(self._tables)])
        self._held = self._from(keys[0]).combine_chunks()
        return self._held.take(self._keys().searchsorted(keys))

    def _keys(self) -> Any:
        return self._held["o_orderkey"].to_numpy()

    def _from(self, key: int) -> Any:
        return self._held.slice(int(self._keys().searchsorted(key)))


def _merged(items: Any, orders: Any, parts: int) -> dict[str, Any]:
    """The columns of the fact table in their order."""
    quantity = items["l_quantity"].to_numpy()
    price = cents(items["l_extendedprice"])
    discount = cents(items["l_discount"])
    return {
        "lo_orderkey": items["l_orderkey"],
        "lo_linenumber": items["l_linenumber"],
        "lo_custkey": folded(orders["o_custkey"], KEPT_ONE_IN),
        "lo_partkey": (items["l_partkey"].to_numpy() - 1) % parts + 1,
        "lo_suppkey": folded(items["l_suppkey"], KEPT_ONE_IN),
        "lo_orderdate": datekeys(orders["o_orderdate"]),
        "lo_orderpriority": orders["o_orderpriority"],
        "lo_shippriority": orders["o_shippriority"],
        "lo_quantity": quantity,
        "lo_extendedprice": price,
        "lo_ordtotalprice": cents(orders["o_totalprice"]),
        "lo_discount": discount,
        "lo_revenue": price * (100 - discount) // 100,
        # Three fifths of the unit's price, which TPC-H multiplied by the quantity.
        "lo_supplycost": price // quantity * 6 // 10,
        "lo_tax": cents(items["l_tax"]),
        "lo_commitdate": datekeys(items["l_commitdate"]),
        "lo_shipmode": items["l_shipmode"],
    }
