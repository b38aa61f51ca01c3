"""Reading pgbench's summary, errors and logs, and finding the program."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from llmtune.benchmark.pgbench_report import Summary, failure, read_latencies
from llmtune.errors import TargetError
from llmtune.knobs.hardware import Hardware
from llmtune.postgres.dsn import DsnTarget
from llmtune.postgres.pgbench import find_pgbench
from llmtune.postgres.session import no_limits
from tests.postgres.live_server import address

GOLDEN = Path(__file__).parent / "golden"
SUMMARY = """\
pgbench (18.6)
transaction type: multiple scripts
number of transactions actually processed: 1130
number of failed transactions: 2 (0.177%)
number of transactions retried: 7 (0.620%)
total number of retries: 12
latency average = 3.536 ms
initial connection time = 5.010 ms
tps = 1131.300125 (without initial connection time)
"""


def test_the_percentile_is_that_of_all_threads_logs():
    logs = sorted(GOLDEN.glob("log.*"))
    lines = [line.split() for log in logs for line in log.read_text().splitlines()]
    milliseconds = [int(line[2]) / 1000 for line in lines if line[2] != "failed"]
    latencies = read_latencies(logs)
    assert len(logs) == 2
    assert latencies.count == len(milliseconds) == len(lines) - 1, "one failed"
    assert latencies.percentile(95) == np.percentile(milliseconds, 95)
    first = [int(line[2]) / 1000 for line in lines if line[3] == "0" and line[2] != "failed"]
    assert latencies.mean(0) == pytest.approx(np.mean(first))
    assert latencies.mean(9) is None


def test_a_log_of_another_form_is_named(tmp_path):
    log = tmp_path / "log.1"
    log.write_text("0 1 2 0 3 4\nnot of a log\n")
    with pytest.raises(TargetError, match=r"log\.1, line 2: .*not of a log"):
        read_latencies([log])


def test_the_summary_is_read():
    summary = Summary.parse(SUMMARY)
    assert summary == Summary(tps=1131.300125, processed=1130, failed=2, retried=7)
    assert summary.note == "of 1132 transactions 7 were repeated and 2 given up"


def test_a_summary_without_failures_has_no_note():
    lines = [line for line in SUMMARY.splitlines() if "failed" not in line and "ret" not in line]
    assert Summary.parse("\n".join(lines)).note == ""


def test_another_summary_is_an_error():
    with pytest.raises(TargetError, match="unknown here: 'hello'"):
        Summary.parse("hello\n")


@pytest.mark.parametrize(
    ("errors", "reason"),
    [
        (
            "pgbench: error: client 1 script 1 aborted in command 4 query 0: ERROR:  no such row\n"
            "LINE 1: SELECT",
            "transaction pay: ERROR:  no such row",
        ),
        (
            "pgbench: hint: some\npgbench: error: connection to server failed: FATAL:  full\n",
            "pgbench: error: connection to server failed: FATAL:  full",
        ),
        ("", "pgbench gave no reason"),
    ],
)
def test_the_reason_of_a_failure_is_the_servers(errors, reason):
    assert failure(errors, ("read", "pay")) == reason


def program(folder: Path, answer: str) -> Path:
    path = folder / "pgbench"
    folder.mkdir()
    path.write_text(f"#!/bin/sh\necho '{answer}'\n")
    path.chmod(0o755)
    return path


def test_the_first_fit_pgbench_is_taken(tmp_path):
    old = program(tmp_path / "old", "pgbench (PostgreSQL) 14.2")
    fit = program(tmp_path / "fit", "pgbench (PostgreSQL) 16.1 (Debian 16.1-1)")
    assert find_pgbench([tmp_path / "none", old, fit]) == fit
    with pytest.raises(TargetError, match=r"PostgreSQL 15 or later.*old/pgbench is of version 14"):
        find_pgbench([old])


def test_there_is_a_pgbench_here():
    assert find_pgbench().name == "pgbench"


def test_a_users_own_options_are_kept_beside_those_that_lift_limits(embedded):
    dsn = f"{address(embedded)} options='-c work_mem=3MB'"
    with DsnTarget(dsn, Hardware(2, 1 << 30)) as target:
        options = target.libpq_environment("other")["PGOPTIONS"]
    assert options.startswith("-c work_mem=3MB -c statement_timeout=0")
    assert "-c transaction_timeout=0" in options
    assert "transaction_timeout" not in no_limits(16)


def test_a_password_goes_by_the_environment():
    address = "postgresql://me:s3cret@db.example:6432/shop?sslmode=require"
    environment = DsnTarget(address, Hardware(2, 1 << 30)).libpq_environment("other")
    assert environment["PGPASSWORD"] == "s3cret"
    assert environment["PGHOST"] == "db.example"
    assert environment["PGPORT"] == "6432"
    assert environment["PGUSER"] == "me"
    assert environment["PGSSLMODE"] == "require"
    assert environment["PGDATABASE"] == "other"
