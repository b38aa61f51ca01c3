"""YCSB's core workloads A to F: reads and writes of single records by key.

Source: Cooper et al., "Benchmarking Cloud Serving Systems with YCSB" (SoCC 2010), and the
`workloada` to `workloadf` files of its implementation: the shares of the operations, 10
fields of 100 bytes, scans of 1 to 100 records, reads of all fields, updates of one.
Scale 1 is a million records.

Where it differs: keys are integers; pgbench's Zipf exponent starts at 1.001, where YCSB
has 0.99; a new record's key comes from a sequence, so a read of the latest may meet one
that is not committed yet and find nothing.
"""

from __future__ import annotations

from workloads.oltp.mix import Kind, Statement, choices, transaction_mix
from workloads.oltp.rows import Bytes, GeneratedRows, Integers, Rng, digits
from workloads.options import WorkloadOptions
from workloads.workload import DataSet, Table, TransactionMix

DEFAULT_SCALE = 0.1
RECORDS = 1_000_000
"""At scale 1."""

FIELDS, FIELD_BYTES = 10, 100
LONGEST_SCAN = 100
ZIPF = 1.001

SHARES = {
    "a": {"read": 50.0, "update": 50.0},
    "b": {"read": 95.0, "update": 5.0},
    "c": {"read": 100.0},
    "d": {"read_latest": 95.0, "insert": 5.0},
    "e": {"scan": 95.0, "insert": 5.0},
    "f": {"read": 50.0, "read_modify_write": 50.0},
}
"""Percent of the operations in each core workload."""

_DISK_BYTES_PER_SCALE = 1_200_000_000
_DISK_BYTES_EMPTY = 8 << 20

_KEY = "ALTER TABLE usertable ADD PRIMARY KEY (ycsb_key)"
_NEW_FIELD = f"lpad(:value::text, {FIELD_BYTES}, '*')"
_READ = "SELECT * FROM usertable WHERE ycsb_key = :key"
_UPDATE = f"UPDATE usertable SET field:field = {_NEW_FIELD} WHERE ycsb_key = :key"

_BODIES: dict[str, tuple[Statement | str, ...]] = {
    "read": (Statement("read", _READ),),
    "update": (Statement("update", _UPDATE, writes=True),),
    "read_latest": (
        Statement(
            "read_latest",
            "SELECT * FROM usertable"
            " WHERE ycsb_key = (SELECT last_value FROM usertable_key) - :behind",
        ),
    ),
    "insert": (
        Statement(
            "insert",
            "INSERT INTO usertable VALUES (nextval('usertable_key')"
            + f", {_NEW_FIELD}" * FIELDS
            + ")",
            writes=True,
        ),
    ),
    "scan": (
        Statement(
            "scan",
            "SELECT * FROM usertable WHERE ycsb_key >= :key ORDER BY ycsb_key LIMIT :records",
        ),
    ),
    "read_modify_write": (
        "BEGIN;",
        Statement("read", _READ),
        Statement("write", _UPDATE, writes=True),
        "COMMIT;",
    ),
}


def ycsb_workload(letter: str, options: WorkloadOptions) -> TransactionMix:
    """One of the core workloads, `a` to `f`; all of one scale share their data set.

    Raises:
        UsageError: an objective that it does not have, or a value out of range.
    """
    name = f"ycsb-{letter}"
    chosen = choices(name, options, DEFAULT_SCALE)
    records = max(2, round(chosen.scale * RECORDS))
    draws = _draws(records)
    kinds = [
        Kind(kind, share, {each: draws[each] for each in _VARIABLES[kind]}, _BODIES[kind])
        for kind, share in SHARES[letter].items()
    ]
    typical = {
        "key": str(records // 2),
        "field": "0",
        "value": "500000000",
        "behind": "100",
        "records": str(LONGEST_SCAN // 2),
    }
    return transaction_mix(name, chosen, kinds, typical, _data_set(chosen.scale, records))


_VARIABLES = {
    "read": ("key",),
    "update": ("key", "field", "value"),
    "read_latest": ("behind",),
    "insert": ("value",),
    "scan": ("key", "records"),
    "read_modify_write": ("key", "field", "value"),
}


def _draws(records: int) -> dict[str, str]:
    """How each variable is drawn. A fixed permutation spreads the popular keys evenly."""
    zipf = f"random_zipfian(1, {records}, {ZIPF})"
    return {
        "key": f"1 + permute({zipf} - 1, {records}, 1)",
        "behind": f"{zipf} - 1",
        "field": f"random(0, {FIELDS - 1})",
        "value": "random(1, 1000000000)",
        "records": f"random(1, {LONGEST_SCAN})",
    }


def _data_set(scale: float, records: int) -> DataSet:
    fields = ", ".join(f"field{number} text" for number in range(FIELDS))
    create = f"CREATE TABLE usertable (ycsb_key bigint NOT NULL, {fields})"
    return DataSet(
        name=f"ycsb-sf{scale:.15g}",
        schema="ycsb",
        tables=(Table("usertable", create, GeneratedRows(0, records, _columns), indexes=(_KEY,)),),
        indexes=("CREATE SEQUENCE usertable_key", f"SELECT setval('usertable_key', {records})"),
        disk_bytes=_DISK_BYTES_EMPTY + int(_DISK_BYTES_PER_SCALE * scale),
    )


def _columns(numbers: Integers, rng: Rng) -> list[Bytes | bytes]:
    return [digits(numbers + 1, 10), *(rng.letters(FIELD_BYTES) for _ in range(FIELDS))]
