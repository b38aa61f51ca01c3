"""One session: statements arrive as they are written, and a lost connection is told as lost."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from llmtune.errors import ConnectionFailed
from llmtune.postgres.embedded import EmbeddedTarget
from llmtune.postgres.pgbench import find_pgbench
from llmtune.postgres.session import environment, open_session
from tests.faults.wire import Line, Point, Wire, leave_open
from tests.postgres.live_server import socket_of

COUNT = "SELECT count(*) FROM person WHERE name = 'Müller'"


@pytest.fixture(scope="module", params=["LATIN1", "SQL_ASCII"])
def old(embedded: EmbeddedTarget, request: pytest.FixtureRequest) -> Iterator[str]:
    """A database as they were before UTF-8, with one person in it."""
    name = f"old_{request.param.lower()}"
    with embedded.connect() as control:
        control.execute(
            f"CREATE DATABASE {name} ENCODING '{request.param}' LOCALE 'C' TEMPLATE template0"
        )
        with embedded.connect(name) as connection:
            connection.execute("SET client_encoding = 'UTF8'")
            connection.execute("CREATE TABLE person (name text)")
            connection.execute("INSERT INTO person VALUES ('Müller')".encode())
        yield name
        control.execute(f"DROP DATABASE {name} WITH (FORCE)")


def test_a_query_finds_what_it_names(embedded: EmbeddedTarget, old: str) -> None:
    with embedded.connect(old) as connection:
        assert connection.execute(COUNT.encode()).fetchone() == (1,)
        assert connection.execute("SELECT name, length(current_user) FROM person").fetchone() == (
            "Müller",
            8,
        )


def test_an_address_cannot_choose_another_encoding(embedded: EmbeddedTarget, old: str) -> None:
    variables = embedded.libpq_environment(old)
    address = {"host": variables["PGHOST"], "port": variables["PGPORT"], "dbname": old}
    asked = {**address, "user": variables["PGUSER"], "client_encoding": "LATIN1"}
    with open_session({}, asked) as connection:
        assert connection.execute(COUNT.encode()).fetchone() == (1,)
    assert environment(asked)["PGCLIENTENCODING"] == "UTF8"


def test_scripts_of_pgbench_find_it_too(embedded: EmbeddedTarget, old: str, tmp_path) -> None:
    script = tmp_path / "find.sql"
    script.write_text(f"SELECT 1 / ({COUNT});", encoding="utf-8")
    variables = {**os.environ, **embedded.libpq_environment(old)}
    command = [str(find_pgbench()), "--no-vacuum", "--transactions", "1", "--file", str(script)]
    ran = subprocess.run(command, env=variables, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr


@pytest.fixture
def door() -> Iterator[Path]:
    """A folder for a socket; its path is short."""
    with tempfile.TemporaryDirectory(prefix="door-") as folder:
        yield Path(folder)


def test_a_connection_that_is_lost_right_behind_its_login_counts_as_lost(
    embedded: EmbeddedTarget, door: Path
) -> None:
    sockets = Path(socket_of(embedded))
    leave_open(door, sockets)
    where = {"host": str(door), "user": "postgres", "dbname": "postgres"}
    with (
        Wire(door, sockets, Point("set_config"), lambda: 0, Line.cut) as wire,
        pytest.raises(ConnectionFailed, match="went away"),
    ):
        open_session({"work_mem": "8MB"}, where)
    assert wire.reached
