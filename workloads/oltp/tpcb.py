"""TPC-B as pgbench's standard script has it: deposits and withdrawals at bank branches.

Source: PostgreSQL's manual, pgbench, "What Is the 'Transaction' Actually Performed in
pgbench?". Scale 1 is one branch with 10 tellers and 100,000 accounts; below 1 there is
one branch with as many tellers and a share of the accounts.
"""

from __future__ import annotations

from math import ceil

from workloads.oltp.mix import Kind, Statement, choices, transaction_mix
from workloads.oltp.rows import Bytes, GeneratedRows, Integers, Rng, digits, no_rows
from workloads.options import WorkloadOptions
from workloads.workload import DataSet, Table, TransactionMix

DEFAULT_SCALE = 10.0
ACCOUNTS, TELLERS = 100_000, 10
"""Of one branch."""

_DISK_BYTES_PER_SCALE = 15_500_000
_DISK_BYTES_EMPTY = 9 << 20

_FILLER = {name: b" " * width for name, width in (("branch", 88), ("teller", 84), ("account", 84))}


def tpcb_workload(options: WorkloadOptions) -> TransactionMix:
    """The one transaction of TPC-B.

    Raises:
        UsageError: an objective that it does not have, or a value out of range.
    """
    chosen = choices("tpcb", options, DEFAULT_SCALE)
    accounts, branches = _accounts(chosen.scale), ceil(chosen.scale)
    draws = {
        "aid": f"random(1, {accounts})",
        "bid": f"random(1, {branches})",
        "tid": f"random(1, {branches * TELLERS})",
        "delta": "random(-5000, 5000)",
    }
    typical = {"aid": str((accounts + 1) // 2), "bid": "1", "tid": "1", "delta": "500"}
    kind = Kind("transfer", 100.0, draws, _BODY)
    return transaction_mix("tpcb", chosen, [kind], typical, _data_set(chosen.scale))


_BODY = (
    "BEGIN;",
    Statement(
        "account", "UPDATE accounts SET abalance = abalance + :delta WHERE aid = :aid", writes=True
    ),
    Statement("balance", "SELECT abalance FROM accounts WHERE aid = :aid"),
    Statement(
        "teller", "UPDATE tellers SET tbalance = tbalance + :delta WHERE tid = :tid", writes=True
    ),
    Statement(
        "branch", "UPDATE branches SET bbalance = bbalance + :delta WHERE bid = :bid", writes=True
    ),
    Statement(
        "history",
        "INSERT INTO history (tid, bid, aid, delta, mtime)"
        " VALUES (:tid, :bid, :aid, :delta, CURRENT_TIMESTAMP)",
        writes=True,
    ),
    "COMMIT;",
)


def _accounts(scale: float) -> int:
    return max(1, round(scale * ACCOUNTS))


def _data_set(scale: float) -> DataSet:
    branches, accounts = ceil(scale), _accounts(scale)
    return DataSet(
        name=f"tpcb-sf{scale:.15g}",
        schema="tpcb",
        tables=(
            _keyed("branches", "bid", _BRANCHES, GeneratedRows(0, branches, _branches)),
            _keyed("tellers", "tid", _TELLERS, GeneratedRows(1, branches * TELLERS, _tellers)),
            _keyed("accounts", "aid", _ACCOUNTS, GeneratedRows(2, accounts, _account_columns)),
            Table("history", _HISTORY, no_rows),
        ),
        indexes=(),
        disk_bytes=_DISK_BYTES_EMPTY + int(_DISK_BYTES_PER_SCALE * scale),
    )


def _keyed(name: str, key: str, create: str, rows: GeneratedRows) -> Table:
    return Table(name, create, rows, indexes=(f"ALTER TABLE {name} ADD PRIMARY KEY ({key})",))


_BRANCHES = "CREATE TABLE branches (bid integer NOT NULL, bbalance integer, filler char(88))"
_TELLERS = """\
CREATE TABLE tellers (tid integer NOT NULL, bid integer, tbalance integer, filler char(84))"""
_ACCOUNTS = """\
CREATE TABLE accounts (aid integer NOT NULL, bid integer, abalance integer, filler char(84))"""
_HISTORY = """\
CREATE TABLE history
    (tid integer, bid integer, aid integer, delta integer, mtime timestamp, filler char(22))"""


def _branches(numbers: Integers, _rng: Rng) -> list[Bytes | bytes]:
    return [digits(numbers + 1, 9), b"0", _FILLER["branch"]]


def _tellers(numbers: Integers, _rng: Rng) -> list[Bytes | bytes]:
    return [digits(numbers + 1, 9), digits(numbers // TELLERS + 1, 9), b"0", _FILLER["teller"]]


def _account_columns(numbers: Integers, _rng: Rng) -> list[Bytes | bytes]:
    return [digits(numbers + 1, 9), digits(numbers // ACCOUNTS + 1, 9), b"0", _FILLER["account"]]
