"""A server that starts, but takes long to do so, is waited for and never restarted."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from llmtune.errors import ServerDidNotStart, ServerNotReady
from llmtune.knobs.catalogue import load_catalogue
from llmtune.knobs.hardware import Hardware
from llmtune.knobs.space import KnobSpace, resolve_space
from llmtune.postgres.dsn import DsnTarget
from llmtune.postgres.embedded import EmbeddedTarget
from llmtune.postgres.live.auto_conf_file import FolderFile
from llmtune.postgres.live.restarter import FakeRestarter
from llmtune.postgres.live.waiting import Patience, connect_patiently
from llmtune.postgres.settings import SettingsApplier
from tests.postgres.live_server import SlowStart, address, entries, run, shown

HARDWARE = Hardware(cores=2, memory=1 << 30)


@pytest.fixture
def slow(server: EmbeddedTarget, cache: Path) -> Iterator[SlowStart]:
    slow = SlowStart(server, cache)
    yield slow
    slow.let_go()
    connect_patiently(server.connect, 10.0).close()
    server.recover()


def whole(target: DsnTarget) -> KnobSpace:
    return target.tunable(resolve_space(load_catalogue(), target.version, HARDWARE))


def test_a_server_that_replays_wal_is_waited_for(server: EmbeddedTarget, slow: SlowStart) -> None:
    fake, said = FakeRestarter(slow.restart, FolderFile(server.data_folder)), list[str]()
    impatient = Patience(start_s=2.0, recovery_s=2.0)
    with DsnTarget(address(server), HARDWARE, fake, patience=impatient) as target:
        target.tell(said.append)
        space = whole(target)
        slow.let_go_after(5.0)
        wanted = space.configuration({"shared_buffers": 8192})
        applied = SettingsApplier(target, space).apply(wanted)
        assert (applied.restarted, fake.restarts) == (True, 1)
        assert shown(server, "shared_buffers") == "64MB"
    assert fake.restarts == 2
    assert shown(server, "shared_buffers") == "128MB"
    assert "waiting until it is ready" in said[0]


def test_a_server_that_never_gets_ready_is_left_to_it(
    server: EmbeddedTarget, slow: SlowStart
) -> None:
    fake = FakeRestarter(slow.restart, FolderFile(server.data_folder))
    impatient = Patience(recovery_s=0.5, not_ready_s=0.5)
    with DsnTarget(address(server), HARDWARE, fake, patience=impatient) as target:
        space = whole(target)
        SettingsApplier(target, space).apply(space.configuration({"max_wal_size": 2048}))
        left = entries(server)
        with pytest.raises(ServerNotReady):
            target.restart()
        for _ in range(2):
            with pytest.raises(ServerNotReady):
                target.recover()
        assert (entries(server), fake.restarts) == (left, 1)
        slow.let_go()
        connect_patiently(target.connect, 10.0).close()
    assert fake.restarts == 1
    assert shown(server, "max_wal_size") == "1GB"


def test_what_a_shutdown_would_write_is_written_before_it(server: EmbeddedTarget) -> None:
    written: list[object] = []

    def look() -> None:
        with server.connect() as connection:
            query = "SELECT checkpoint_lsn FROM pg_control_checkpoint()"
            written.append(connection.execute(query).fetchone())

    impatient = Patience(start_s=0.1)
    with DsnTarget(address(server), HARDWARE, FakeRestarter(look), patience=impatient) as target:
        run(server, "CREATE TABLE dirty AS SELECT generate_series(1, 9)", "DROP TABLE dirty")
        look()
        with pytest.raises(ServerDidNotStart, match="runs on as before"):
            target.restart()
    assert written[1] != written[0]
