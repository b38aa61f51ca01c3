"""A server in a container that is not ours, as far as the live target knows."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass

import psycopg
import pytest

from llmtune.cli.targets import live_target
from llmtune.errors import ServerDidNotStart, TargetError, UsageError
from llmtune.knobs.catalogue import load_catalogue
from llmtune.knobs.space import resolve_space
from llmtune.postgres.docker.engine import connect_engine
from llmtune.postgres.dsn import DsnTarget
from llmtune.postgres.embedded import EmbeddedTarget
from llmtune.postgres.live.container import ContainerRestarter, allowed_cores
from llmtune.postgres.live.waiting import connect_patiently
from llmtune.postgres.settings import SettingsApplier
from llmtune.postgres.target import why_lost
from llmtune.tuning.requests import RestartRequest, TargetRequest
from tests.postgres.live_server import address

MEMORY = 256 << 20


@pytest.mark.parametrize(
    ("limits", "cores"),
    [
        ({}, 64),
        ({"NanoCpus": 0, "CpuQuota": 0, "CpuPeriod": 0, "CpusetCpus": ""}, 64),
        ({"CpuQuota": -1}, 64),
        ({"NanoCpus": 1_500_000_000}, 2),
        ({"CpuQuota": 250_000}, 3),
        ({"CpuQuota": 50_000, "CpuPeriod": 25_000}, 2),
        ({"CpuQuota": 1_000}, 1),
        ({"CpusetCpus": "0-2,8"}, 4),
        ({"NanoCpus": 8 * 10**9, "CpuQuota": 600_000, "CpusetCpus": "5"}, 1),
        ({"NanoCpus": 128 * 10**9}, 64),
    ],
)
def test_the_least_limit_says_how_many_cores_a_container_has(limits, cores):
    assert allowed_cores(limits, 64) == cores


@dataclass(frozen=True)
class Served:
    """A container that somebody started, with a fixed port."""

    name: str
    dsn: str


@pytest.fixture(scope="module")
def served(postgres_image: str) -> Iterator[Served]:
    with serving(postgres_image) as served:
        yield served


@contextmanager
def serving(image: str, **options: str) -> Iterator[Served]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with closing(connect_engine()) as engine:
        container = engine.containers.run(
            image,
            detach=True,
            environment={"POSTGRES_PASSWORD": "hunter2"},
            ports={"5432/tcp": ("127.0.0.1", port)},
            mem_limit=MEMORY,
            nano_cpus=10**9,
            **options,
        )
        dsn = f"postgresql://postgres:hunter2@127.0.0.1:{port}/postgres"
        try:
            connect_patiently(DsnTarget(dsn).connect, 60.0).close()
            time.sleep(1.0)  # the image starts its server once to set it up, and then for good
            connect_patiently(DsnTarget(dsn).connect, 60.0).close()
            yield Served(str(container.name), dsn)
        finally:
            container.remove(force=True, v=True)


def test_the_hardware_of_a_server_in_a_container_is_never_guessed(served: Served) -> None:
    report = DsnTarget(served.dsn).inspect()
    assert (report.here, report.hardware) == (False, None)
    with pytest.raises(UsageError, match="--cores and --memory"):
        DsnTarget(served.dsn).__enter__()


def test_the_containers_limits_are_the_servers_hardware(served: Served) -> None:
    restart = RestartRequest(allow=True, container=served.name)
    with live_target(TargetRequest(served.dsn, restart=restart)) as target:
        assert (target.hardware.cores, target.hardware.memory) == (1, MEMORY)
        space = target.tunable(resolve_space(load_catalogue(), target.version, target.hardware))
        changes = space.configuration({"shared_buffers": 8192})
        assert SettingsApplier(target, space).apply(changes).restarted
        assert shared_buffers(served) == "64MB"
    assert shared_buffers(served) == "128MB"


def test_a_container_that_does_not_start_is_mended_from_outside(served: Served) -> None:
    restart = RestartRequest(allow=True, container=served.name)
    with DsnTarget(
        served.dsn,
        ContainerRestarter(served.name).hardware,
        restart.restarter(),
    ) as target:
        target.note_entries({"shared_buffers": (None, "8000GB")})
        with DsnTarget(served.dsn).connect() as connection:
            connection.execute("ALTER SYSTEM SET shared_buffers = '8000GB'")
        with pytest.raises(ServerDidNotStart) as failure:
            target.restart()
        assert "FATAL" in failure.value.log
        target.recover()
        assert shared_buffers(served) == "128MB"


def test_a_restart_waits_for_no_session_whatever_the_images_stop_signal(
    postgres_image: str,
) -> None:
    with serving(postgres_image, stop_signal="SIGTERM") as served:
        restarter = ContainerRestarter(served.name)
        session = DsnTarget(served.dsn).connect()
        restarter.restart()
        with pytest.raises(psycopg.OperationalError):
            session.execute("SELECT 1")
        connect_patiently(DsnTarget(served.dsn).connect, 60.0).close()
        assert "database system was shut down" in restarter.log_tail()


def test_a_session_out_of_memory_is_explained(served: Served) -> None:
    restarter = ContainerRestarter(served.name)
    with DsnTarget(served.dsn, restarter.hardware, restarter) as target:
        with pytest.raises(psycopg.OperationalError), target.connect() as connection:
            connection.execute("SELECT length(repeat('x', 600000000))")
        assert why_lost(target) == "killed: out of memory (limit 256 MiB)"
        assert why_lost(target) == ""


def test_another_servers_container_is_refused(served: Served, embedded: EmbeddedTarget) -> None:
    restarter = ContainerRestarter(served.name)
    with pytest.raises(UsageError, match="does not run in the container"):
        DsnTarget(address(embedded), restarter.hardware, restarter).__enter__()


def test_a_container_must_be_there(served: Served) -> None:
    with pytest.raises(TargetError, match="no container"):
        ContainerRestarter(f"{served.name}-not")


def test_a_port_that_changes_is_refused_before_a_restart(postgres_image: str) -> None:
    with closing(connect_engine()) as engine:
        container = engine.containers.create(
            postgres_image, ports={"5432/tcp": ("127.0.0.1", None)}
        )
        try:
            with pytest.raises(UsageError, match="another port"):
                ContainerRestarter(str(container.name)).check(0.0, "")
        finally:
            container.remove(v=True)


def shared_buffers(served: Served) -> str:
    with DsnTarget(served.dsn).connect() as connection:
        row = connection.execute("SHOW shared_buffers").fetchone()
    assert row is not None
    return str(row[0])
