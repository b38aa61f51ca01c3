"""`llmtune doctor` on a server of somebody's, and on this installation alone."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from llmtune.postgres.embedded import EmbeddedTarget
from tests.cli.conftest import Run
from tests.postgres.live_server import address, drop_role, entries, new_role, standby
from tests.postgres.live_server import run as statements


@pytest.fixture
def server(embedded: EmbeddedTarget) -> Iterator[EmbeddedTarget]:
    statements(embedded, "ALTER SYSTEM SET max_wal_size = '3GB'", "SELECT pg_reload_conf()")
    yield embedded
    embedded.recover()


def test_this_installation_can_tune_a_server_of_its_own(run: Run) -> None:
    told = run("doctor", "--json").json
    assert told["possible"]
    assert told["server"] is None
    found = {one["what"]: one["fine"] for one in told["installation"]}
    assert found["PostgreSQL programs"]
    assert found["adapter"]


def test_a_server_is_reported_and_not_touched(run: Run, server: EmbeddedTarget) -> None:
    before = entries(server)
    told = run("doctor", "--target", address(server), "--json").json
    assert told["possible"]
    assert told["server"]["present"]["max_wal_size"] == "3GB"
    assert "shared_buffers" not in told["server"]["reachable"]
    assert entries(server) == before


def test_people_are_told_what_is_in_the_way(run: Run, server: EmbeddedTarget) -> None:
    new_role(server, "guest", "ALTER ROLE guest SET work_mem = '1MB'")
    done = run("doctor", "--target", address(server, "guest"))
    drop_role(server, "guest")
    assert done.exit_code == 0
    told = " ".join(done.stdout.split())
    assert "Role guest: no ALTER SYSTEM, may not reload" in told
    assert 'GRANT ALTER SYSTEM ON PARAMETER <knob> TO "guest"' in told
    assert "ALTER ROLE \"guest\" SET work_mem = '1MB'" in told
    assert "hunter2" not in told


def test_a_way_that_restarts_another_server_is_refused_as_tune_does(
    run: Run, server: EmbeddedTarget, tmp_path: Path
) -> None:
    shutil.copy(server.data_folder / "postmaster.opts", tmp_path)
    way = ("doctor", "--target", address(server), "--allow-restart", "--restart-pgdata")
    wrong = run(*way, tmp_path)
    assert wrong.exit_code == 1
    assert "To mend: the server that is to be tuned does not run in" in wrong.stdout
    assert "shared_buffers" in run(*way, server.data_folder, "--json").json["server"]["reachable"]


def test_a_standby_is_refused_as_tune_does(run: Run, server: EmbeddedTarget, cache: Path) -> None:
    with standby(server, cache) as dsn:
        refused = run("doctor", "--target", dsn)
        accepted = run("doctor", "--target", dsn, "--allow-standby", "--json")
    assert refused.exit_code == 1
    assert "--allow-standby tunes it nevertheless" in refused.stdout
    assert accepted.json["possible"]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--target", "postgresql://ann:hunter2@127.0.0.1:1/shop"], "cannot connect"),
        (["--target", "host=/nowhere", "--restart-unit", "postgresql"], "--allow-restart"),
        (["--target", "embeded"], "did you mean 'embedded'"),
    ],
)
def test_what_cannot_be_looked_at_ends_with_a_message(
    run: Run, arguments: list[str], says: str
) -> None:
    done = run("doctor", *arguments)
    assert done.exit_code != 0
    assert says in done.message
    assert "hunter2" not in done.message
