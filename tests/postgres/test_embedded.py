"""The embedded target on a real server."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import psycopg
import pytest

from llmtune.errors import ConnectionFailed, ServerDidNotStart, TargetError, UsageError
from llmtune.knobs.hardware import detect_hardware
from llmtune.postgres.embedded import EmbeddedTarget
from llmtune.postgres.limits import create_memory_group
from llmtune.postgres.target import why_lost

TOOL = """
import sys, time
from pathlib import Path
from llmtune.postgres.embedded import EmbeddedTarget
with EmbeddedTarget(cache=Path(sys.argv[1])) as target, target.connect() as connection:
    connection.execute("ALTER SYSTEM SET work_mem = '77MB'")
    connection.execute("SELECT pg_reload_conf()")
    folders = connection.execute("SHOW unix_socket_directories").fetchone()
    print(target.data_folder, folders[0], flush=True)
    time.sleep(600)
"""


def show(target: EmbeddedTarget, setting: str) -> str:
    with target.connect() as connection:
        row = connection.execute("SELECT current_setting(%s)", [setting]).fetchone()
    assert row is not None
    return str(row[0])


def postmaster(target: EmbeddedTarget) -> psutil.Process:
    return psutil.Process(int((target.data_folder / "postmaster.pid").read_text().split()[0]))


def has_ended(process: psutil.Process) -> bool:
    """Whether it runs no more; nobody may have collected it yet."""
    return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE


@pytest.fixture(scope="module")
def limited(cache: Path) -> Iterator[EmbeddedTarget]:
    """A server with one core and 192 MiB."""
    try:
        create_memory_group("llmtune-test-probe", 256 << 20).remove()
    except TargetError as error:
        pytest.skip(str(error))
    with EmbeddedTarget(cores=1, memory=192 << 20, cache=cache) as target:
        yield target


def test_serves_on_a_private_socket_alone(embedded: EmbeddedTarget) -> None:
    sockets = Path(show(embedded, "unix_socket_directories"))
    assert embedded.version == 18
    assert embedded.can_restart
    assert show(embedded, "listen_addresses") == ""
    assert sockets.stat().st_mode & 0o777 == 0o700
    assert postmaster(embedded).uids().real != 0


def test_a_server_without_limits_has_the_machine(embedded: EmbeddedTarget) -> None:
    assert embedded.hardware == detect_hardware()


def test_session_settings_hold_from_the_first_statement(embedded: EmbeddedTarget) -> None:
    with embedded.connect(settings={"work_mem": "65536", "enable_sort": "off"}) as connection:
        row = connection.execute(
            "SELECT current_setting('work_mem'), current_setting('enable_sort')"
        )
        assert row.fetchone() == ("64MB", "off")
    assert show(embedded, "work_mem") == "4MB"


def test_a_refused_session_setting_is_named(embedded: EmbeddedTarget) -> None:
    with pytest.raises(TargetError, match="work_mem"):
        embedded.connect(settings={"work_mem": "-7"})


def test_an_unknown_database_is_a_connection_failure(embedded: EmbeddedTarget) -> None:
    with pytest.raises(ConnectionFailed, match="no_such_database"):
        embedded.connect("no_such_database")


def test_restart_takes_settings_and_recover_undoes_them(embedded: EmbeddedTarget) -> None:
    with embedded.connect() as connection:
        connection.execute("ALTER SYSTEM SET shared_buffers = '64MB'")
    embedded.restart()
    assert show(embedded, "shared_buffers") == "64MB"
    embedded.recover()
    assert show(embedded, "shared_buffers") == "128MB"


def test_recover_leaves_a_sound_server_alone(embedded: EmbeddedTarget) -> None:
    before = postmaster(embedded).pid
    embedded.recover()
    assert postmaster(embedded).pid == before


def test_a_server_that_cannot_start_says_why_and_recovers(embedded: EmbeddedTarget) -> None:
    with embedded.connect() as connection:
        connection.execute("ALTER SYSTEM SET shared_preload_libraries = 'no_such_library'")
    with pytest.raises(ServerDidNotStart, match="could not access file") as failure:
        embedded.restart()
    assert "FATAL" in failure.value.log
    with pytest.raises(ConnectionFailed):
        embedded.connect()
    embedded.recover()
    assert show(embedded, "shared_preload_libraries") == ""


def test_recovers_from_a_damaged_settings_file(embedded: EmbeddedTarget) -> None:
    (embedded.data_folder / "postgresql.auto.conf").write_text("work_mem = nonsense\n")
    with pytest.raises(ServerDidNotStart, match="configuration file"):
        embedded.restart()
    embedded.recover()
    assert show(embedded, "work_mem") == "4MB"


def test_recovers_from_a_killed_server(embedded: EmbeddedTarget) -> None:
    with embedded.connect() as connection:
        backend = psutil.Process(connection.info.backend_pid)
        postmaster(embedded).kill()
        embedded.recover()
        assert has_ended(backend)
    assert show(embedded, "work_mem") == "4MB"


def test_two_at_once_have_data_of_their_own(embedded: EmbeddedTarget, cache: Path) -> None:
    with EmbeddedTarget(cache=cache) as other, other.connect() as connection:
        assert other.data_folder != embedded.data_folder
        connection.execute("CREATE TABLE here (x int)")
        with embedded.connect() as first:
            assert first.execute("SELECT to_regclass('here')").fetchone() == (None,)


def test_data_outlives_the_server_and_settings_do_not(
    embedded: EmbeddedTarget, cache: Path
) -> None:
    with EmbeddedTarget(cache=cache) as target, target.connect() as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS kept AS SELECT 42 AS x")
        connection.execute("ALTER SYSTEM SET work_mem = '77MB'")
        folder, server = target.data_folder, postmaster(target)
    assert has_ended(server)
    with EmbeddedTarget(cache=cache) as target, target.connect() as connection:
        assert target.data_folder == folder
        assert connection.execute("SELECT x FROM kept").fetchone() == (42,)
        assert show(target, "work_mem") == "4MB"


def test_clears_away_what_a_killed_process_left(embedded: EmbeddedTarget, cache: Path) -> None:
    command = [sys.executable, "-c", TOOL, str(cache)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as tool:
        assert tool.stdout is not None
        data, sockets = map(Path, tool.stdout.readline().split())
        tool.send_signal(signal.SIGKILL)
    stale = psutil.Process(int((data / "postmaster.pid").read_text().split()[0]))
    assert stale.is_running()
    with EmbeddedTarget(cache=cache) as target:
        assert has_ended(stale)
        assert target.data_folder == data
        assert not sockets.exists()
        assert show(target, "work_mem") == "4MB"


def test_a_stale_pid_file_of_a_stranger_is_not_obeyed(cache: Path) -> None:
    with EmbeddedTarget(cache=cache) as target:
        data = target.data_folder
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as stranger:
        (data / "postmaster.pid").write_text(f"{stranger.pid}\n{data}\n")
        with EmbeddedTarget(cache=cache) as target:
            assert target.data_folder == data
            assert show(target, "work_mem") == "4MB"
        assert stranger.poll() is None


def test_limits_hold_for_the_server(limited: EmbeddedTarget) -> None:
    server = postmaster(limited)
    assert (limited.hardware.cores, limited.hardware.memory) == (1, 192 << 20)
    assert all(len(process.cpu_affinity()) == 1 for process in (server, *server.children()))
    assert "llmtune-" in Path(f"/proc/{server.pid}/cgroup").read_text()
    assert len(os.sched_getaffinity(0)) == len(psutil.Process().cpu_affinity())


def test_a_server_out_of_memory_dies_and_recovers(limited: EmbeddedTarget) -> None:
    greedy = "SELECT count(*) FROM (SELECT DISTINCT x FROM generate_series(1, 30000000) x) t"
    settings = {"work_mem": "4194304", "enable_sort": "off", "hash_mem_multiplier": "10"}
    with limited.connect(settings=settings) as connection, pytest.raises(psycopg.OperationalError):
        connection.execute(greedy)
    assert why_lost(limited) == "killed: out of memory (limit 192 MiB)"
    assert why_lost(limited) == ""
    limited.recover()
    assert show(limited, "work_mem") == "4MB"
    assert "llmtune-" in Path(f"/proc/{postmaster(limited).pid}/cgroup").read_text()


@pytest.mark.parametrize("memory", [0, 1 << 20, 1 << 60])
def test_refuses_memory_that_there_is_not(memory: int) -> None:
    with pytest.raises(UsageError, match="memory must be from 64 MiB"):
        EmbeddedTarget(memory=memory)


@pytest.mark.parametrize("cores", [0, -1, 100_000])
def test_refuses_cores_that_there_are_not(cores: int) -> None:
    with pytest.raises(UsageError, match="cores must be from 1 to"):
        EmbeddedTarget(cores=cores)


def test_a_machine_without_proc_is_no_place_for_it(tmp_path: Path) -> None:
    with pytest.raises(TargetError, match=r"needs Linux, .*--target postgresql://"):
        EmbeddedTarget(root=tmp_path)


def test_a_target_that_was_not_entered_has_no_server(cache: Path) -> None:
    with pytest.raises(TargetError, match="not running"):
        EmbeddedTarget(cache=cache).connect()


def test_says_so_when_the_cache_is_not_a_folder(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(TargetError, match="cache folder"), EmbeddedTarget(cache=tmp_path / "file"):
        pass


@pytest.mark.skipif(os.geteuid() != 0, reason="only root's servers have another account")
def test_says_so_when_the_account_cannot_enter_the_cache(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    with pytest.raises(TargetError, match="may not enter"), EmbeddedTarget(cache=closed):
        pass
