"""A server with an application at work on it, which counts its statements."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from llmtune.postgres.embedded import EmbeddedTarget

SETTINGS = {"shared_preload_libraries": "pg_stat_statements", "pg_stat_statements.max": "200"}
SCHEMA = """
    CREATE EXTENSION pg_stat_statements;
    CREATE TABLE item (id int PRIMARY KEY, note text);
    CREATE TABLE basket (id int);
    INSERT INTO item SELECT g, 'note ' || g FROM generate_series(1, 20000) g;
    INSERT INTO basket SELECT g * 3000 FROM generate_series(1, 5) g;
    ANALYZE;
"""
JOIN = "SELECT count(*), max(note) FROM basket JOIN item USING (id)"
"""A nested loop reads five items; any other join reads them all."""
LOOKUP = "SELECT note FROM item WHERE id = 4711"


class Shop:
    """A database of an application's, which lives in a server with others'."""

    database = "shop"

    def __init__(self, server: EmbeddedTarget) -> None:
        self.server = server
        with server.connect() as control:
            row = control.execute("SHOW unix_socket_directories").fetchone()
        self.address = f"postgresql://postgres@/{self.database}?host={row[0]}"

    def execute(self, *statements):
        with self.server.connect(self.database) as connection:
            for one in statements:
                row = connection.execute(one.encode())
        return row.fetchone() if row.description else None

    def show(self, name):
        return self.execute(f"SHOW {name}")[0]

    @property
    def entries(self):
        lines = (self.server.data_folder / "postgresql.auto.conf").read_text().splitlines()
        ours = ("#", "shared_preload", "pg_stat")
        return [line for line in lines if not line.startswith(ours)]

    def work(self, stop: threading.Event):
        """Ask the same few things over and over, as sessions of an application do."""
        with self.server.connect(self.database) as session:
            session.prepare_threshold = None  # a plan that is kept is not made anew
            while not stop.wait(0.002):
                try:
                    session.execute(JOIN)
                    session.execute(LOOKUP)
                except psycopg.errors.AdminShutdown:
                    return


@pytest.fixture(scope="module")
def server(cache: Path) -> Iterator[EmbeddedTarget]:
    with EmbeddedTarget(cache=cache) as target:
        with target.connect() as control:
            for name, value in SETTINGS.items():
                control.execute(f"ALTER SYSTEM SET {name} = '{value}'".encode())
        target.restart()
        with target.connect() as control:
            control.execute("CREATE DATABASE shop")
        with target.connect("shop") as connection:
            connection.execute(SCHEMA.encode())
        yield target
        with target.connect() as control:
            control.execute("DROP DATABASE shop WITH (FORCE)")


@pytest.fixture
def shop(server: EmbeddedTarget) -> Iterator[Shop]:
    yield Shop(server)
    with server.connect() as control:
        for name in ("enable_nestloop", "enable_material"):
            control.execute(f"ALTER SYSTEM RESET {name}".encode())
        control.execute("SELECT pg_reload_conf()")


@pytest.fixture
def traffic(shop: Shop) -> Iterator[Callable[[], None]]:
    """Two sessions at work; calling it sends them home."""
    stop = threading.Event()
    sessions = [threading.Thread(target=shop.work, args=(stop,)) for _ in range(2)]
    for one in sessions:
        one.start()

    def end() -> None:
        stop.set()
        for one in sessions:
            one.join()

    yield end
    end()
