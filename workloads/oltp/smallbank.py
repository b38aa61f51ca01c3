"""SmallBank: six short transactions on customers' savings and checking accounts.

Sources: Alomari et al., "The Cost of Serializability on Platforms That Use Snapshot
Isolation" (ICDE 2008) for the first five transactions, and H-Store's and BenchBase's
version for SendPayment, the weights, and the 100 customers that get a quarter of all
requests. Scale 1 is a million customers.

Where it differs: SendPayment locks its two rows in the order of their keys, so that
transactions never wait for each other in a circle.
"""

from __future__ import annotations

from workloads.oltp.mix import Choices, Kind, Statement, choices, transaction_mix
from workloads.oltp.rows import Bytes, GeneratedRows, Integers, Rng, decimals, digits, joined
from workloads.options import WorkloadOptions
from workloads.workload import DataSet, Table, TransactionMix

DEFAULT_SCALE = 1.0
CUSTOMERS = 1_000_000
"""At scale 1."""

HOT_CUSTOMERS = 100
HOT_PERCENT = 25

_DISK_BYTES_PER_SCALE = 260_000_000
_DISK_BYTES_EMPTY = 8 << 20

_BY_NAME = "SELECT custid AS {0} FROM accounts WHERE name = 'C' || lpad(':{0}', 10, '0')"
_CUSTOMER = Statement("customer", _BY_NAME.format("a"), gset=True)
_OTHER = Statement("other", _BY_NAME.format("b"), gset=True)
_DEPOSIT = "UPDATE checking SET bal = bal + :amount WHERE custid = "


def smallbank_workload(options: WorkloadOptions) -> TransactionMix:
    """The six transactions with their weights.

    Raises:
        UsageError: an objective that it does not have, or a value out of range.
    """
    chosen = choices("smallbank", options, DEFAULT_SCALE)
    customers = _customers(chosen)
    one, two = _one(customers), _two(customers)
    kinds = (
        Kind("amalgamate", 15.0, two, _AMALGAMATE),
        Kind("balance", 15.0, one, _BALANCE),
        Kind("deposit_checking", 15.0, {**one, "amount": "random(1, 100)"}, _DEPOSIT_CHECKING),
        Kind("send_payment", 25.0, {**two, "amount": "random(1, 100)"}, _SEND_PAYMENT),
        Kind("transact_savings", 15.0, {**one, "amount": "random(-100, 100)"}, _TRANSACT_SAVINGS),
        Kind("write_check", 15.0, {**one, "amount": "random(1, 100)"}, _WRITE_CHECK),
    )
    typical = {"a": "1", "b": str(customers), "amount": "50"}
    return transaction_mix("smallbank", chosen, kinds, typical, _data_set(chosen.scale, customers))


_AMALGAMATE = (
    "BEGIN;",
    _CUSTOMER,
    _OTHER,
    Statement(
        "savings", "SELECT bal AS amount FROM savings WHERE custid = :a FOR UPDATE", gset=True
    ),
    Statement("empty_savings", "UPDATE savings SET bal = 0 WHERE custid = :a", writes=True),
    # Both checking accounts at once, in order of their keys: see the module's text.
    Statement(
        "lock",
        "SELECT bal FROM checking WHERE custid IN (:a, :b) ORDER BY custid FOR UPDATE",
    ),
    Statement(
        "move",
        "UPDATE checking SET bal = CASE custid WHEN :a THEN 0 ELSE bal + :amount"
        " + (SELECT bal FROM checking WHERE custid = :a) END WHERE custid IN (:a, :b)",
        writes=True,
    ),
    "COMMIT;",
)
_BALANCE = (
    "BEGIN;",
    _CUSTOMER,
    Statement(
        "balance",
        "SELECT savings.bal + checking.bal FROM savings JOIN checking USING (custid)"
        " WHERE custid = :a",
    ),
    "COMMIT;",
)
_DEPOSIT_CHECKING = (
    "BEGIN;",
    _CUSTOMER,
    Statement("deposit", f"{_DEPOSIT}:a", writes=True),
    "COMMIT;",
)
_SEND_PAYMENT = (
    "BEGIN;",
    Statement(
        "lock", "SELECT bal FROM checking WHERE custid IN (:a, :b) ORDER BY custid FOR UPDATE"
    ),
    Statement(
        "pay",
        "WITH paid AS (UPDATE checking SET bal = bal - :amount"
        " WHERE custid = :a AND bal >= :amount RETURNING custid)"
        f" {_DEPOSIT}:b AND EXISTS (SELECT FROM paid)",
        writes=True,
    ),
    "COMMIT;",
)
_TRANSACT_SAVINGS = (
    "BEGIN;",
    _CUSTOMER,
    Statement(
        "transact",
        "UPDATE savings SET bal = bal + :amount WHERE custid = :a AND bal + :amount >= 0",
        writes=True,
    ),
    "COMMIT;",
)
_WRITE_CHECK = (
    "BEGIN;",
    _CUSTOMER,
    Statement(
        "write",
        "UPDATE checking SET bal = checking.bal - :amount"
        " - CASE WHEN savings.bal + checking.bal < :amount THEN 1 ELSE 0 END"
        " FROM savings WHERE checking.custid = :a AND savings.custid = checking.custid",
        writes=True,
    ),
    "COMMIT;",
)


def _customers(chosen: Choices) -> int:
    return max(2, round(chosen.scale * CUSTOMERS))


def _one(customers: int) -> dict[str, str]:
    """One customer; the hot ones come first in the table."""
    hot = min(HOT_CUSTOMERS, customers)
    return {
        "among": f"CASE WHEN random(1, 100) <= {HOT_PERCENT} THEN {hot} ELSE {customers} END",
        "a": "random(1, :among)",
    }


def _two(customers: int) -> dict[str, str]:
    """Two customers, never the same."""
    return {**_one(customers), "b": "1 + (:a - 1 + random(1, :among - 1)) % :among"}


def _data_set(scale: float, customers: int) -> DataSet:
    by_name = "CREATE UNIQUE INDEX accounts_name ON accounts (name)"
    tables = (
        _keyed("accounts", _ACCOUNTS, GeneratedRows(0, customers, _names), by_name),
        _balances_of("savings", GeneratedRows(1, customers, _balances)),
        _balances_of("checking", GeneratedRows(2, customers, _balances)),
    )
    return DataSet(
        name=f"smallbank-sf{scale:.15g}",
        schema="smallbank",
        tables=tables,
        indexes=(),
        disk_bytes=_DISK_BYTES_EMPTY + int(_DISK_BYTES_PER_SCALE * scale),
        csv_share=0.22,
    )


_ACCOUNTS = "CREATE TABLE accounts (custid bigint NOT NULL, name text NOT NULL)"


def _balances_of(name: str, rows: GeneratedRows) -> Table:
    create = f"CREATE TABLE {name} (custid bigint NOT NULL, bal numeric(12, 2) NOT NULL)"
    return _keyed(name, create, rows)


def _keyed(name: str, create: str, rows: GeneratedRows, *indexes: str) -> Table:
    key = f"ALTER TABLE {name} ADD PRIMARY KEY (custid)"
    return Table(name, create, rows, indexes=(key, *indexes))


def _names(numbers: Integers, _rng: Rng) -> list[Bytes | bytes]:
    return [digits(numbers + 1, 10), joined([b"C", digits(numbers + 1, 10)])]


def _balances(numbers: Integers, rng: Rng) -> list[Bytes | bytes]:
    """100 to 500 in each account."""
    return [digits(numbers + 1, 10), decimals(rng.integers(10_000, 50_000), 3)]
