"""docker-compose.yml: as docker-compose reads it, and its server at work."""

from __future__ import annotations

import os
import secrets
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from llmtune.postgres.docker.engine import connect_engine

FILE = Path(__file__).parent.parent.parent / "docker-compose.yml"
PASSWORD = secrets.token_hex(8)
DATAGEN = [f"datagen-{number}" for number in range(1, 5)]


@pytest.fixture(scope="module")
def compose() -> list[str]:
    """The command of Compose v2, or else that of version 1."""
    plugin = ["docker", "compose"]
    if shutil.which("docker") and run([*plugin, "version"]).returncode == 0:
        return plugin
    if shutil.which("docker-compose") is None:
        pytest.skip("no docker-compose here")
    return ["docker-compose"]


@pytest.fixture(scope="module")
def port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@pytest.fixture(scope="module")
def started(compose: list[str], port: int, postgres_image: str) -> Iterator[dict]:
    """What the engine says of the one server, once it is healthy."""
    image, tag = postgres_image.split(":")
    project = f"llmtune-test-{secrets.token_hex(4)}"
    command = [*compose, "--file", str(FILE), "--project-name", project]
    variables = {
        "POSTGRES_IMAGE": image,
        "POSTGRES_VERSION": tag,
        "POSTGRES_PASSWORD": PASSWORD,
        "POSTGRES_PORT": str(port),
        "POSTGRES_MEMORY": "300m",
        "POSTGRES_CORES": "1.5",
        "POSTGRES_SHM": "96m",
    }
    try:
        done = run([*command, "up", "--detach"], **variables)
        assert done.returncode == 0, done.stderr
        yield healthy(project)
    finally:
        run([*command, "down", "--volumes"], **variables)


def run(command: list[str], **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, **variables}
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def healthy(project: str, patience_s: float = 60.0) -> dict:
    engine = connect_engine()
    label = f"com.docker.compose.project={project}"
    (container,) = engine.containers.list(filters={"label": label})  # none of the profile's
    deadline = time.monotonic() + patience_s
    while container.health != "healthy" and time.monotonic() < deadline:
        time.sleep(0.1)
        container.reload()
    assert container.health == "healthy", container.attrs["State"]
    engine.close()
    return container.attrs


def test_a_profile_has_the_servers_for_data_generation(compose):
    command = [*compose, "--file", str(FILE), "--profile", "datagen", "config", "--services"]
    done = run(command, POSTGRES_PASSWORD=PASSWORD)
    assert done.returncode == 0, done.stderr
    assert sorted(done.stdout.split()) == [*DATAGEN, "postgres"]


def test_it_asks_for_a_password(compose):
    done = run([*compose, "--file", str(FILE), "config"], POSTGRES_PASSWORD="")
    assert done.returncode != 0
    assert "set it in the environment or in a file named .env" in done.stderr


def test_the_limits_are_those_of_the_variables(started):
    limits = started["HostConfig"]
    assert limits["Memory"] == 300 << 20
    assert limits["NanoCpus"] == 1_500_000_000
    assert limits["ShmSize"] == 96 << 20


def test_it_listens_on_this_machine_alone_and_keeps_its_data_in_a_volume(started, port):
    (binding,) = started["HostConfig"]["PortBindings"]["5432/tcp"]
    assert binding == {"HostIp": "127.0.0.1", "HostPort": str(port)}
    mounts = {mount["Destination"]: mount["Type"] for mount in started["Mounts"]}
    assert mounts["/var/lib/postgresql"] == "volume"


def test_statement_statistics_are_there(started, port):
    address = f"host=127.0.0.1 port={port} user=llmtune dbname=llmtune"
    with psycopg.connect(address, password=PASSWORD) as connection:
        connection.execute("CREATE EXTENSION pg_stat_statements")
        counted = connection.execute("SELECT count(*) > 0 FROM pg_stat_statements").fetchone()
    assert counted == (True,)
