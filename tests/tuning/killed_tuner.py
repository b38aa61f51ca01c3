"""A tuner that ends itself with SIGKILL at one step of its work; run as a program.

Arguments: the server's folder, its socket folder, the cache, the store's URL, the step.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from pathlib import Path

import psycopg

from llmtune.knobs.catalogue import load_catalogue
from llmtune.knobs.space import resolve_space
from llmtune.postgres.settings import SettingsApplier
from llmtune.postgres.tuner_lock import TunerLock
from llmtune.tuning.restore_points import RestorePoints, TargetJournal
from llmtune.tuning.store import SessionStore
from tests.tuning.outliving import Outliving

KNOBS = ["shared_buffers", "checkpoint_timeout", "max_wal_size", "wal_compression"]
RELOADABLE = {"checkpoint_timeout": 900, "max_wal_size": 2048, "wal_compression": "pglz"}
"""On top of these, the steps of a restart change shared_buffers."""
RESTART_STEPS = ("restarting", "restarted")


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


class DyingJournal:
    """Dies before or after the journal is written."""

    def __init__(self, inner, step):
        self.inner, self.step = inner, step

    def before(self, originals, changes):
        if self.step == "unjournalled":
            die()
        self.inner.before(originals, changes)
        if self.step == "journalled":
            die()


class DyingCursor(psycopg.Cursor):
    """Dies at a statement; which one the class attribute `step` says."""

    step = ""

    def execute(self, query, params=None, **options):
        text = query if isinstance(query, str) else query.as_string(None)
        if self.step == "altered" and "pg_reload_conf" in text:
            die()
        done = super().execute(query, params, **options)
        if self.step == "half altered" and text.startswith("ALTER SYSTEM"):
            die()
        if self.step == "reloaded" and "pg_reload_conf" in text:
            die()
        return done


class DyingTarget(Outliving):
    """Dies in the middle of a restart, or right behind it."""

    step = ""

    def connect(self, database=None, settings=None):
        connection = super().connect(database, settings)
        connection.cursor_factory = DyingCursor
        return connection

    def restart(self):
        self.cluster.stop()
        if self.step == "restarting":
            die()
        self.cluster.start()
        die()


def main(folder, sockets, cache, url, step):
    DyingCursor.step = DyingTarget.step = step
    target = DyingTarget(Path(folder), Path(sockets), Path(cache), can_restart=True)
    space = resolve_space(load_catalogue(), 18, target.hardware, KNOBS)
    journal = DyingJournal(TargetJournal(RestorePoints(SessionStore(url)), "killed"), step)
    buffers = {"shared_buffers": 8192} if step in RESTART_STEPS else {}
    with TunerLock(target):
        applier = SettingsApplier(target, space, journal)
        applier.apply(space.configuration({**RELOADABLE, **buffers}))
        threading.Timer(0.2, die).start()
        with target.connect() as connection:
            connection.execute("SELECT pg_sleep(60)")


if __name__ == "__main__":
    main(*sys.argv[1:])
