"""The docker target on a real engine."""

from __future__ import annotations

import io
import json
import logging
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest
from docker import DockerClient
from docker.errors import NotFound

from llmtune.benchmark.benchmark import Benchmark
from llmtune.errors import ConnectionFailed, ServerDidNotStart, TargetError, UsageError
from llmtune.knobs.catalogue import load_catalogue
from llmtune.knobs.hardware import Hardware
from llmtune.knobs.space import resolve_space
from llmtune.postgres.docker.engine import (
    check_nearby,
    connect_engine,
    container_state,
    find_container,
)
from llmtune.postgres.docker.files import read_file, write_file
from llmtune.postgres.docker.image import find_image
from llmtune.postgres.docker.readiness import wait_until_ready
from llmtune.postgres.docker.server import DATA
from llmtune.postgres.docker.target import DockerTarget
from llmtune.postgres.settings import SettingsApplier
from llmtune.trial import TrialStatus
from workloads.workload import ExistingDatabase, Query, Workload

MIB = 1 << 20
MEMORY = 256 * MIB
GREEDY = "SELECT length(repeat('x', 600000000))"
TOOL = """
import sys, time
from pathlib import Path
from llmtune.postgres.docker.target import DockerTarget
with DockerTarget(sys.argv[1], cache=Path(sys.argv[2])) as target, target.connect() as connection:
    connection.execute("ALTER SYSTEM SET work_mem = '77MB'")
    connection.execute("CREATE TABLE IF NOT EXISTS left_behind (x int)")
    print(target.container_name, flush=True)
    time.sleep(600)
"""


@pytest.fixture(scope="module")
def engine(postgres_image: str) -> Iterator[DockerClient]:
    engine = connect_engine()
    yield engine
    engine.close()


@pytest.fixture(scope="module")
def docker_cache(engine: DockerClient) -> Iterator[Path]:
    """A cache folder whose volumes are removed in the end."""
    with tempfile.TemporaryDirectory(prefix="llmtune-test-") as folder:
        yield Path(folder)
        owner = (Path(folder) / "docker" / "owner").read_text()
        for volume in engine.volumes.list(filters={"label": f"llmtune={owner}"}):
            volume.remove()


@pytest.fixture(scope="module")
def log() -> Iterator[io.StringIO]:
    """Whatever is logged while this module's server is made and used."""
    text, root = io.StringIO(), logging.getLogger()
    handler, before = logging.StreamHandler(text), root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield text
    root.setLevel(before)
    root.removeHandler(handler)


@pytest.fixture(scope="module")
def server(postgres_image: str, docker_cache: Path, log: io.StringIO) -> Iterator[DockerTarget]:
    """A server with one core and little memory; whoever changes its settings puts them back."""
    with DockerTarget(postgres_image, cores=1, memory=MEMORY, cache=docker_cache) as target:
        yield target


@pytest.fixture
def container(engine: DockerClient, server: DockerTarget):
    return find_container(engine, server.container_name)


def show(target: DockerTarget, setting: str) -> str:
    with target.connect() as connection:
        row = connection.execute("SELECT current_setting(%s)", [setting]).fetchone()
    assert row is not None
    return str(row[0])


def alter(target: DockerTarget, assignment: str) -> None:
    with target.connect() as connection:
        connection.execute(f"ALTER SYSTEM SET {assignment}".encode())


def exists(engine: DockerClient, name: str) -> bool:
    try:
        engine.containers.get(name)
    except NotFound:
        return False
    return True


def test_limits_are_the_hardware_and_the_container_has_them(server, container):
    limits = container.attrs["HostConfig"]
    assert server.hardware == Hardware(1, MEMORY)
    assert (limits["NanoCpus"], limits["Memory"]) == (10**9, MEMORY)
    assert limits["MemorySwap"] in (MEMORY, -1), "-1: a kernel that does not count swap"
    assert limits["ShmSize"] == MEMORY, "room for what parallel queries share"


def test_serves_on_a_loopback_port_alone(server, container):
    (port,) = container.attrs["NetworkSettings"]["Ports"]["5432/tcp"]
    assert port["HostIp"] == "127.0.0.1"
    assert (server.version, show(server, "TimeZone")) == (15, "UTC")


def test_session_settings_hold_from_the_first_statement(server):
    with server.connect(settings={"work_mem": "65536"}) as connection:
        assert connection.execute("SHOW work_mem").fetchone() == ("64MB",)


def test_the_password_is_in_a_private_file_and_nowhere_else(server, container, docker_cache, log):
    (kept,) = docker_cache.glob("docker/*-0/password")
    password = kept.read_text()
    assert server.libpq_environment("postgres")["PGPASSWORD"] == password
    assert (kept.stat().st_mode & 0o777, kept.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    with pytest.raises(ConnectionFailed) as failure:
        server.connect("no_such_database")
    said = [repr(vars(server)), server.name, str(failure.value), log.getvalue()]
    seen = [json.dumps(container.attrs), container.logs().decode()]
    assert "/containers/create" in log.getvalue()
    assert not [text for text in [*said, *seen] if password in text]


def test_a_wrong_password_is_refused(server):
    port = server.libpq_environment("postgres")["PGPORT"]
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(f"host=127.0.0.1 port={port} user=postgres password=wrong")


def test_restart_knobs_are_applied_and_read_back(server):
    space = resolve_space(load_catalogue(), 15, server.hardware, ["shared_buffers", "work_mem"])
    applier = SettingsApplier(server, space)
    before = server.restart_seconds
    applied = applier.apply(space.configuration({"shared_buffers": 64 * MIB // 8192}))
    assert applied.restarted
    assert server.restart_seconds > before
    assert show(server, "shared_buffers") == "64MB"
    applier.apply(space.baseline())
    assert show(server, "shared_buffers") == "128MB"


def test_recover_leaves_a_sound_server_alone(server, container):
    before = container_state(container).started
    server.recover()
    assert container_state(container).started == before


def test_a_server_that_cannot_start_says_why_and_recovers(server):
    alter(server, "shared_buffers = '100GB'")
    with pytest.raises(ServerDidNotStart, match="shared memory") as failure:
        server.restart()
    assert "FATAL" in failure.value.log
    with pytest.raises(ConnectionFailed, match="does not run"):
        server.connect()
    server.recover()
    assert show(server, "shared_buffers") == "128MB"


def test_recovers_from_a_damaged_settings_file(server, container):
    path = DATA / "postgresql.auto.conf"
    file = read_file(container, path)
    assert file is not None
    write_file(container, replace(file, text="work_mem = nonsense\n"))
    with pytest.raises(ServerDidNotStart, match="configuration file"):
        server.restart()
    server.recover()
    assert read_file(container, path) == replace(file, text="")


def test_a_killed_container_is_told_and_recovers(server, container):
    container.kill()
    assert server.explain_loss() == "its container ended with exit code 137 (killed)"
    server.recover()
    assert show(server, "work_mem") == "4MB"


def test_a_session_out_of_memory_is_a_crashed_trial_that_says_so(server):
    space = resolve_space(load_catalogue(), 15, server.hardware, ["work_mem"])
    greedy = Workload("greedy", (Query("q1", GREEDY, "q1"),), ExistingDatabase())
    benchmark = Benchmark(server, space, greedy, "postgres")
    trial = benchmark.measure(space.default(), number=1, source="test")
    assert trial.status is TrialStatus.CRASHED
    assert "killed: out of memory (limit 256 MiB)" in trial.message
    assert server.explain_loss() == "", "told once"
    assert show(server, "work_mem") == "4MB"


def test_two_at_once_have_data_of_their_own(server, postgres_image, docker_cache, engine):
    owner = (docker_cache / "docker" / "owner").read_text()
    half_made = engine.volumes.create(
        f"{server.container_name[:-1]}1", labels={"llmtune": owner, "half": "made"}
    )
    with DockerTarget(postgres_image, cache=docker_cache) as other, other.connect() as connection:
        connection.execute("CREATE TABLE here (x int)")
        name = other.container_name
        assert name != server.container_name
        machine = engine.info()
        assert other.hardware == Hardware(machine["NCPU"], machine["MemTotal"])
        with server.connect() as first:
            assert first.execute("SELECT to_regclass('here')").fetchone() == (None,)
    assert not exists(engine, name)
    volume = engine.volumes.get(name)
    assert volume.id == half_made.id
    assert "half" not in volume.attrs["Labels"], "no server ever came up on that one"


def test_removes_what_a_killed_process_left_and_nothing_else(
    server, postgres_image, docker_cache, engine
):
    strangers = [
        engine.containers.create(postgres_image, labels=labels)
        for labels in ({}, {"llmtune": "another-cache", "llmtune.slot": "pg15-00000000-1"})
    ]
    command = [sys.executable, "-c", TOOL, postgres_image, str(docker_cache)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as tool:
        assert tool.stdout is not None
        name = tool.stdout.readline().strip()
        tool.send_signal(signal.SIGKILL)
    left = find_container(engine, name)
    assert container_state(left).running
    try:
        with DockerTarget(postgres_image, cache=docker_cache) as target:
            assert target.container_name == name
            assert not exists(engine, str(left.id))
            assert show(target, "work_mem") == "4MB"
            with target.connect() as connection:
                table = connection.execute("SELECT to_regclass('left_behind')").fetchone()
            assert table == ("left_behind",), "data outlive their container"
        assert all(exists(engine, str(stranger.id)) for stranger in strangers)
        assert exists(engine, server.container_name), "another process's"
    finally:
        for stranger in strangers:
            stranger.remove(v=True)


def test_a_volume_of_somebody_else_is_not_taken(postgres_image, engine, tmp_path):
    (tmp_path / "docker").mkdir()
    (tmp_path / "docker" / "owner").write_text("0badcafe")
    name = f"llmtune-0badcafe-{find_image(engine, postgres_image).key}-0"
    foreign = engine.volumes.create(name)
    try:
        with pytest.raises(TargetError, match="LLMTune did not make"):
            DockerTarget(postgres_image, cache=tmp_path).__enter__()
    finally:
        foreign.remove()
    assert not exists(engine, name)


def test_a_container_that_ends_again_and_again_did_not_start(postgres_image, engine):
    container = engine.containers.run(
        postgres_image,
        ["bash", "-c", "echo 'FATAL:  no luck' >&2; exit 3"],
        detach=True,
        restart_policy={"Name": "always"},
    )
    try:
        with pytest.raises(ServerDidNotStart, match=r"no luck \(it ended and was restarted"):
            wait_until_ready(container, lambda: False)
    finally:
        container.remove(force=True, v=True)


def test_a_missing_image_is_named_with_what_to_do(engine, tmp_path):
    missing = "llmtune-test-postgres:no-such-tag"
    with pytest.raises(TargetError, match=f"docker pull {missing}"):
        DockerTarget(missing, cache=tmp_path).__enter__()


def test_an_image_without_postgresql_is_refused(engine, tmp_path):
    image = "llmtune-test-debian:bookworm-postgresql-15"
    with pytest.raises(TargetError, match="PG_MAJOR"):
        DockerTarget(image, cache=tmp_path).__enter__()


@pytest.mark.parametrize("cores", [0, 100_000])
def test_refuses_cores_that_there_are_not(cores, postgres_image, tmp_path):
    with pytest.raises(UsageError, match="cores must be from 1 to"):
        DockerTarget(postgres_image, cores=cores, cache=tmp_path).__enter__()


@pytest.mark.parametrize("memory", [MIB, 1 << 60])
def test_refuses_memory_that_there_is_not(memory, postgres_image, tmp_path):
    with pytest.raises(UsageError, match="memory must be from 64 MiB"):
        DockerTarget(postgres_image, memory=memory, cache=tmp_path).__enter__()


def test_a_container_that_is_not_there_is_named(engine):
    with pytest.raises(TargetError, match="no container 'no-such-one'"):
        find_container(engine, "no-such-one")


def test_no_engine_is_said_with_what_to_do(monkeypatch):
    monkeypatch.setenv("DOCKER_HOST", "unix:///no/such/socket")
    with pytest.raises(TargetError, match="no Docker engine answers"):
        DockerTarget().__enter__()


@pytest.mark.parametrize("host", ["tcp://192.0.2.1:2375", "tcp://engine.example:2376"])
def test_an_engine_of_another_machine_is_refused(host):
    with pytest.raises(TargetError, match="on another machine"):
        check_nearby(DockerClient(host, version="1.41"))


@pytest.mark.parametrize("host", ["unix:///var/run/docker.sock", "tcp://127.0.0.1:2375"])
def test_an_engine_of_this_machine_is_taken(host):
    engine = DockerClient(host, version="1.41")
    assert check_nearby(engine) is None


def test_a_target_that_was_not_entered_has_no_server():
    with pytest.raises(TargetError, match="not running"):
        DockerTarget().connect()
