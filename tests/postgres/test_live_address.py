"""Addresses, and what the environment adds to them."""

from __future__ import annotations

from pathlib import Path

import pytest

from llmtune.errors import UsageError
from llmtune.knobs.hardware import Hardware
from llmtune.postgres.dsn import DsnTarget
from llmtune.postgres.embedded import EmbeddedTarget
from llmtune.postgres.live.address import (
    is_address,
    parse_address,
    place,
    without_secrets,
)
from tests.postgres.live_server import address, new_role, run, socket_of

HARDWARE = Hardware(cores=2, memory=1 << 30)


@pytest.mark.parametrize(
    "text", ["postgresql://", "postgres://a@b/c", "host=/tmp dbname=x", "service=shop"]
)
def test_addresses_are_told_from_names(text: str) -> None:
    assert is_address(text)


@pytest.mark.parametrize("text", ["embedded", "docker", "postgresql"])
def test_names_are_no_addresses(text: str) -> None:
    assert not is_address(text)


@pytest.mark.parametrize(
    ("parts", "url"),
    [
        (("ann", "db.example", "5433", "shop"), "postgresql://ann@db.example:5433/shop"),
        (("ann", "::1", "5432", "shop"), "postgresql://ann@[::1]:5432/shop"),
        (("a@b", "db", "5432", "x/y"), "postgresql://a%40b@db:5432/x/y"),
        (("ann", "/run/pg", "5432", "shop"), "postgresql://ann@/shop?host=/run/pg&port=5432"),
    ],
)
def test_a_place_is_an_address_again(parts: tuple[str, str, str, str], url: str) -> None:
    assert place(*parts) == url
    read = parse_address(url).parameters
    assert (read["user"], read["host"], read["port"], read["dbname"]) == parts


HOW = {"sslmode": "verify-full", "sslrootcert": "/etc/a b.crt", "options": "-c a=1&b"}


@pytest.mark.parametrize("host", ["db.example", "/run/pg"])
def test_a_place_keeps_how_to_log_in(host: str) -> None:
    read = parse_address(place("ann", host, "5433", "shop", HOW)).parameters
    assert read == {"user": "ann", "host": host, "port": "5433", "dbname": "shop", **HOW}


@pytest.mark.parametrize(
    "text",
    [
        "postgresql://ann:hunter2@db:5433/shop?sslmode=require",
        "postgresql://ann@db:5433/shop?password=hunter2&sslmode=require&sslpassword=hunter2",
        "host=db port=5433 user=ann dbname=shop sslmode=require password='hunter2'",
    ],
)
def test_an_address_is_kept_without_its_secrets_and_nothing_in_their_place(text: str) -> None:
    kept = without_secrets(text)
    read = dict(parse_address(kept).parameters)
    place = {"user": "ann", "host": "db", "port": "5433", "dbname": "shop"}
    assert read == {**place, "sslmode": "require"}


@pytest.mark.parametrize("text", ["embedded", "docker", "service=shop", "postgresql://ann@db/x"])
def test_what_has_no_secret_is_kept_as_it_is(text: str) -> None:
    assert without_secrets(text) == text


def test_the_name_logs_in_again_as_the_address_did(embedded: EmbeddedTarget) -> None:
    how = "sslmode=disable options='-c work_mem=5MB' passfile=/nowhere"
    with DsnTarget(f"{address(embedded)} {how}", HARDWARE) as target:
        target.settle()
        name = target.name
    assert "hunter2" not in name
    assert "sslmode=disable" in name
    with DsnTarget(name, HARDWARE).connect() as connection:
        assert connection.execute("SHOW work_mem").fetchone() == ("5MB",)
        assert connection.info.get_parameters()["passfile"] == "/nowhere"


def test_a_password_shows_nowhere() -> None:
    address = parse_address("postgresql://ann:hunter2@db.example/shop")
    assert "hunter2" not in f"{address!r} {address.name}"


def test_the_variables_give_what_an_address_leaves_open(
    embedded: EmbeddedTarget, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (
        ("HOST", socket_of(embedded)),
        ("USER", "postgres"),
        ("DATABASE", "postgres"),
    ):
        monkeypatch.setenv(f"PG{name}", value)
    with DsnTarget("postgresql://", HARDWARE) as target:
        name = target.name
        monkeypatch.setenv("PGHOST", "/nowhere")  # the server that answered stays the target
        target.connect().close()
    assert name == f"postgresql://postgres@/postgres?host={socket_of(embedded)}&port=5432"


def test_a_service_and_a_password_file_are_used(
    embedded: EmbeddedTarget, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    services, passwords = tmp_path / "services", tmp_path / "passwords"
    services.write_text(f"[shop]\nhost={socket_of(embedded)}\nuser=clerk\ndbname=postgres\n")
    passwords.write_text(f"{socket_of(embedded)}:5432:postgres:clerk:hunter2\n")
    passwords.chmod(0o600)
    monkeypatch.setenv("PGSERVICEFILE", str(services))
    monkeypatch.setenv("PGPASSFILE", str(passwords))
    new_role(embedded, "clerk")
    with DsnTarget("service=shop", HARDWARE) as target, target.connect() as connection:
        assert connection.info.password == passwords.read_text().split(":")[-1].strip()
        assert target.name.startswith("postgresql://clerk@/postgres?host=")
        assert target.name.endswith("&service=shop"), "it has the password for a later restore"
        assert "hunter2" not in f"{target.name} {target.report}"
    assert DsnTarget("service=shop", HARDWARE).name == "postgresql:///?service=shop"
    run(embedded, "DROP ROLE clerk")


def test_what_libpq_cannot_read_is_not_repeated() -> None:
    with pytest.raises(UsageError, match="not a valid PostgreSQL") as failure:
        parse_address("postgresql://ann:hunter2@[::1/shop")
    assert "hunter2" not in str(failure.value)
