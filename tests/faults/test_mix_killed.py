"""A tuner killed in a transaction mix takes its pgbench along."""

from __future__ import annotations

import multiprocessing
import shutil
import time

import pytest

from tests.faults.long_mix import run_long_mix
from tests.faults.scene import Scene

WORKING = """
    SELECT count(*) FROM pg_stat_activity
    WHERE query LIKE '%/* long mix */%' AND pid <> pg_backend_pid()
"""
PATIENCE_S = 20.0


def clients(scene: Scene) -> int:
    with scene.server.connect() as connection:
        row = connection.execute(WORKING).fetchone()
    return row[0] if row else 0


def await_clients(scene: Scene, count: int) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while clients(scene) != count:
        assert time.monotonic() < deadline, f"{clients(scene)} clients, not {count}"
        time.sleep(0.05)


def test_no_transactions_run_on(scene: Scene) -> None:
    if shutil.which("setpriv") is None:
        pytest.skip("there is no setpriv here, with which pgbench would be tied to us")
    environment = scene.server.libpq_environment("postgres")
    context = multiprocessing.get_context("forkserver")
    tuner = context.Process(target=run_long_mix, args=(environment,))
    tuner.start()
    await_clients(scene, 2)
    tuner.kill()
    tuner.join()
    await_clients(scene, 0)
    scene.check_original()
