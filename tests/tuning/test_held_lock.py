"""The tuner's lock outlives restarts and lost connections: no other tuner comes in between."""

from __future__ import annotations

import os
import signal
import time
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace

import pytest

from llmtune.benchmark.under_configuration import UnderConfiguration
from llmtune.cli.progress import Reporter
from llmtune.cli.safety import Safety
from llmtune.errors import (
    ConnectionFailed,
    ServerDidNotStart,
    ServerNotReady,
    SessionError,
    TargetError,
)
from llmtune.knobs.catalogue import load_catalogue
from llmtune.knobs.space import resolve_space
from llmtune.postgres.dsn import DsnTarget
from llmtune.postgres.embedded import EmbeddedTarget
from llmtune.postgres.live.pg_ctl import PgCtlRestarter
from llmtune.postgres.live.restarter import FakeRestarter
from llmtune.postgres.live.waiting import Patience
from llmtune.postgres.server_settings import reload_settings
from llmtune.postgres.settings import SettingsApplier
from llmtune.postgres.tuner_lock import TunerLock
from llmtune.tuning.restore_points import PointState, RestorePoints
from llmtune.tuning.store import SessionStore
from tests.tuning.test_restore import Place

KNOBS = ["shared_buffers", "max_wal_size", "work_mem"]
END_SESSIONS = """
    SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
    WHERE application_name = 'llmtune' AND pid <> pg_backend_pid()
"""
END_HOLDER = """
    SELECT pg_terminate_backend(pid, 5000) FROM pg_locks
    WHERE locktype = 'advisory' AND pid <> pg_backend_pid()
"""


class Held(Place):
    """A server, one tuner that holds it, and another one at its door."""

    def __init__(self, server, cache, folder):
        super().__init__(server, cache, f"sqlite:///{folder / 'sessions.db'}")
        self.safety = Safety(RestorePoints(SessionStore(self.url)), "run", Reporter(quiet=True))
        self.address = f"postgresql://postgres@/postgres?host={self.arguments[1]}"
        self.patience = Patience()
        self.way = PgCtlRestarter(self.data)

    @contextmanager
    def tuning(self):
        """The target, the knobs that can be changed and the journal, behind all safety."""
        hardware = self.target.hardware
        with DsnTarget(self.address, hardware, self.way, patience=self.patience) as target:
            space = target.tunable(resolve_space(load_catalogue(), 18, hardware, KNOBS))
            with self.safety.guard(target) as journal:
                yield target, space, journal

    def check_held(self):
        with pytest.raises(TargetError, match="another llmtune"):
            TunerLock(self.stiff).hold()


@pytest.fixture(scope="module")
def server(cache):
    with EmbeddedTarget(cache=cache) as target:
        yield target


@pytest.fixture
def held(server, cache, tmp_path):
    held = Held(server, cache, tmp_path)
    held.before = held.entries()
    yield held
    server.recover()


def test_through_a_restart_of_ours(held):
    with held.tuning() as (target, space, journal):
        applier = SettingsApplier(target, space, journal)
        assert applier.apply(space.configuration({"shared_buffers": 8192})).restarted
        held.check_held()
    assert held.entries() == held.before


def test_through_a_restart_of_somebody_elses(held):
    with held.tuning() as (target, _, _):
        held.target.restart()
        target.recover()
        held.check_held()


def test_where_its_connection_alone_is_lost(held):
    with held.tuning() as (target, space, journal):
        under = UnderConfiguration(target, space, journal)
        held.execute(END_SESSIONS)
        under.apply(space.configuration({"work_mem": 8192}))
        held.check_held()


def test_where_the_server_has_not_heard_of_the_loss(held):
    with TunerLock(held.target) as lock:
        unheard, lock._connection = lock._connection, None
        lock.hold()
        held.check_held()
        unheard.close()
    TunerLock(held.target).hold()


def test_a_process_that_has_it_no_more_is_left_to_whom_a_pooler_lent_it(held):
    with TunerLock(held.target) as lock:
        lent, lock._connection = lock._connection, None
        lent.execute("SELECT pg_advisory_unlock_all()")
        lock.hold()
        assert lent.execute("SELECT 1").fetchone() == (1,)
        lent.close()


def lose_it_and_fail(held, rival):
    with held.tuning() as (target, space, journal):
        SettingsApplier(target, space, journal).apply(space.configuration({"max_wal_size": 2048}))
        held.execute(END_SESSIONS)
        rival.hold()
        raise SessionError("in the middle")


def test_nothing_is_put_back_while_another_tuner_works(held):
    with TunerLock(held.stiff) as rival:
        rival.let_go()
        with pytest.raises(SessionError, match="in the middle") as failure:
            lose_it_and_fail(held, rival)
        notes = "".join(failure.value.__notes__)
        assert "another llmtune works on" in notes
        assert "llmtune restore run" in notes
        assert "max_wal_size = '2048'" in held.entries()
        assert [one.id for one in held.points.due()] == ["run"]
    assert held.restore("run").complete
    assert held.entries() == held.before


def lose_it_and_apply(held, rival):
    with held.tuning() as (target, space, _):
        held.execute(END_SESSIONS)
        rival.hold()
        held.safety.apply_for_good(target, space, space.configuration({"max_wal_size": 2048}))


def test_nothing_is_applied_for_good_while_another_tuner_works(held):
    with TunerLock(held.stiff) as rival:
        rival.let_go()
        with pytest.raises(TargetError, match="another llmtune works on"):
            lose_it_and_apply(held, rival)
        assert held.entries() == held.before
        assert held.points.due() == ()


def refuse_to_start():
    raise ServerDidNotStart("the server did not restart")


def apply_what_does_not_start(held):
    """As when somebody answers in the morning, and the owner was at work before."""
    with held.tuning() as (target, space, _):
        with held.target.connect() as connection:
            connection.execute("ALTER SYSTEM SET max_wal_size = '3GB'")
            reload_settings(connection)
        best = space.configuration({"shared_buffers": 8192, "max_wal_size": 2048})
        held.safety.apply_for_good(target, space, best)


def test_what_its_owner_set_before_the_answer_is_what_is_put_back(held):
    held.way = FakeRestarter(refuse_to_start)
    with pytest.raises(ServerDidNotStart, match="did not restart"):
        apply_what_does_not_start(held)
    assert held.entries() == sorted([*held.before, "max_wal_size = '3GB'"])
    assert held.points.due() == ()


def test_what_its_owner_set_before_the_answer_and_that_leaves_alone_stays(held):
    with held.tuning() as (target, space, _):
        with held.target.connect() as connection:
            connection.execute("ALTER SYSTEM SET work_mem = '32MB'")
            reload_settings(connection)
        best = space.configuration({"max_wal_size": 2048})
        held.safety.apply_for_good(target, space, best)
    assert "max_wal_size = '2048'" in held.entries()
    assert "work_mem = '32MB'" in held.entries()


def take_all_places(held, taken):
    with suppress(ConnectionFailed):
        while True:
            taken.enter_context(held.target.connect())


def test_what_holds_it_puts_back_while_no_connection_is_free(held):
    held.patience = Patience(recovery_s=1.0)
    with ExitStack() as taken, held.tuning() as (target, space, journal):
        under = UnderConfiguration(target, space, journal)
        under.apply(space.configuration({"max_wal_size": 2048}))
        take_all_places(held, taken)
    assert held.entries() == held.before
    assert held.points.due() == ()


def test_the_place_of_a_lost_lock_is_enough_to_put_back(held):
    held.patience = Patience(recovery_s=1.0)
    with ExitStack() as taken, held.tuning() as (target, space, journal):
        SettingsApplier(target, space, journal).apply(space.configuration({"max_wal_size": 2048}))
        neighbour = taken.enter_context(held.target.connect())
        take_all_places(held, taken)
        neighbour.execute(END_HOLDER)
        target.recover()
        assert held.entries() == held.before


class Crowding(RestorePoints):
    """As soon as something is kept, no place on the server is free."""

    def __init__(self, held, taken):
        super().__init__(SessionStore(held.url))
        self.held, self.taken = held, taken

    def mark(self, point_id, state, waiting=()):
        super().mark(point_id, state, waiting)
        if state is PointState.KEPT:
            take_all_places(self.held, self.taken)


def test_what_is_kept_stays_while_no_connection_is_free(held):
    held.patience = Patience(recovery_s=1.0)
    with ExitStack() as taken:
        held.safety = replace(held.safety, points=Crowding(held, taken))
        with held.tuning() as (target, space, _):
            held.safety.apply_for_good(target, space, space.configuration({"max_wal_size": 2048}))
    assert held.entries() == sorted([*held.before, "max_wal_size = '2048'"])
    assert held.points.point("run").state is PointState.KEPT


def test_a_shutdown_that_waits_for_our_sessions_does_not_wait_long(held):
    running = held.data / "postmaster.pid"
    held.patience = Patience(recovery_s=0.3)
    with held.tuning() as (target, _, _):
        os.kill(int(running.read_text().split()[0]), signal.SIGTERM)
        with pytest.raises(ServerNotReady):
            connect_for_ever(target)
        with pytest.raises(ServerNotReady):
            target.recover()
    while running.exists():
        time.sleep(0.01)


def connect_for_ever(target):
    while True:
        target.connect().close()
        time.sleep(0.01)
