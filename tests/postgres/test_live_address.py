"""Addresses, and what the environment adds to them."""

from __future__ import annotations

from pathlib import Path

import pytest

from llmtune.errors import UsageError
from llmtune.knobs.hardware import Hardware
from llmtune.postgres.dsn import DsnTarget
from llmtune.postgres.embedded import EmbeddedTarget
from llmtune.postgres.live.address import is_address, parse_address, place
from tests.postgres.live_server import new_role, run, socket_of

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
        assert "hunter2" not in f"{target.name} {target.report}"
    assert DsnTarget("service=shop", HARDWARE).name == "postgresql:///?service=shop"
    run(embedded, "DROP ROLE clerk")


def test_what_libpq_cannot_read_is_not_repeated() -> None:
    with pytest.raises(UsageError, match="not a valid PostgreSQL") as failure:
        parse_address("postgresql://ann:hunter2@[::1/shop")
    assert "hunter2" not in str(failure.value)
