"""What a server's log tells of its failure, whatever stands before its lines."""

from __future__ import annotations

import pytest

from llmtune.postgres.server_log import fatal_reason

OWN = "could not map anonymous shared memory: Cannot allocate memory"


@pytest.mark.parametrize("level", ["FATAL", "PANIC"])
@pytest.mark.parametrize("prefix", ["", "2026-01-01 10:00:00.000 UTC [42] ", "db=,user= "])
def test_the_reason_is_the_servers_own(prefix: str, level: str) -> None:
    log = (
        f"{prefix}LOG:  starting PostgreSQL 18.0\n"
        f"{prefix}{level}:  {OWN}\n"
        f"{prefix}FATAL:  the database system is starting up\n"
        f"{prefix}LOG:  database system is shut down\n"
    )
    assert fatal_reason(log) == OWN


def test_the_last_start_counts() -> None:
    assert fatal_reason(f"FATAL:  an earlier reason\nFATAL:  {OWN}\n") == OWN


def test_a_log_without_a_reason_has_none() -> None:
    assert fatal_reason("LOG:  a statement with FATAL: in it\n\n") == ""
