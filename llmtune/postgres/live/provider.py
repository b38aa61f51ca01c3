"""Recognising a managed service: there ALTER SYSTEM is the provider's, not the owner's."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from psycopg import sql

from llmtune.postgres.target import Connection


@dataclass(frozen=True, slots=True)
class Provider:
    """A managed service.

    Attributes:
        settings: prefixes of settings that only its servers have.
        roles: roles that only its servers have.
        place: where its users change server settings.
    """

    name: str
    settings: tuple[str, ...]
    roles: tuple[str, ...]
    place: str


PROVIDERS = (
    Provider("Amazon RDS or Aurora", ("rds.", "apg_"), ("rdsadmin",), "DB parameter group"),
    Provider("Google AlloyDB", ("alloydb.",), ("alloydbadmin",), "instance's database flags"),
    Provider("Google Cloud SQL", ("cloudsql.",), ("cloudsqladmin",), "instance's database flags"),
    Provider("Azure Database", ("azure.",), ("azuresu", "azure_pg_admin"), "server parameters"),
    Provider("Neon", ("neon.",), ("neon_superuser",), "project's compute settings"),
    Provider("Supabase", ("supautils.",), ("supabase_admin",), "`supabase postgres-config`"),
    Provider("Aiven", ("aiven.",), ("avnadmin",), "service's advanced configuration"),
    Provider("DigitalOcean", (), ("doadmin",), "cluster's configuration API"),
    Provider("Timescale Cloud", ("tsdb_admin.",), ("tsdbadmin",), "service's database parameters"),
)
"""The more particular first: AlloyDB has settings of Cloud SQL too."""


def recognise(settings: Collection[str], roles: Collection[str]) -> Provider | None:
    """The service whose settings or roles a server has; None for a server of one's own."""
    for provider in PROVIDERS:
        has_setting = any(name.startswith(provider.settings) for name in settings)
        if (provider.settings and has_setting) or set(provider.roles) & set(roles):
            return provider
    return None


def read_provider(connection: Connection) -> Provider | None:
    """Recognise the service behind a connection."""
    settings = [row[0] for row in connection.execute("SELECT name FROM pg_settings")]
    known = sorted(role for provider in PROVIDERS for role in provider.roles)
    found = connection.execute(
        sql.SQL("SELECT rolname FROM pg_roles WHERE rolname = ANY({})").format(sql.Literal(known))
    )
    return recognise(settings, [row[0] for row in found])
