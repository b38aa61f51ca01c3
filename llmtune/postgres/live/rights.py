"""What the role that we log in with may do."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from llmtune.postgres.target import Connection

PARAMETER_GRANTS = 15
"""The first version in which ALTER SYSTEM can be granted for one parameter."""

READ = """
    SELECT current_user,
           current_setting('is_superuser') = 'on',
           pg_has_role(current_user, 'pg_read_all_settings', 'USAGE'),
           pg_has_role(current_user, 'pg_read_all_stats', 'USAGE'),
           has_function_privilege('pg_reload_conf()', 'EXECUTE'),
           has_table_privilege('pg_file_settings', 'SELECT')
               AND has_function_privilege('pg_show_all_file_settings()', 'EXECUTE'),
           coalesce(current_setting('allow_alter_system', true), 'on') = 'on'
"""
GRANTED = """
    SELECT name FROM unnest(%s::text[]) AS given(name) WHERE has_parameter_privilege(name, %s)
"""


@dataclass(frozen=True, slots=True)
class Rights:
    """A role's rights on one server.

    Attributes:
        reads_settings: sees where every setting comes from (`pg_read_all_settings`).
        reads_statistics: sees other roles' statistics (`pg_read_all_stats`).
        reloads: may call `pg_reload_conf`.
        reads_files: may read `pg_file_settings`, with entries not in force yet.
        alters: the knobs that it may change with ALTER SYSTEM.
        sets: the knobs of superusers that it may set in its session.
        system_open: the server allows ALTER SYSTEM at all (17+: `allow_alter_system`).
    """

    role: str
    superuser: bool
    reads_settings: bool
    reads_statistics: bool
    reloads: bool
    reads_files: bool
    system_open: bool = True
    alters: frozenset[str] = frozenset()
    sets: frozenset[str] = frozenset()


def read_rights(connection: Connection, names: Iterable[str]) -> Rights:
    """The rights of the connection's role on these knobs; any role may ask."""
    names = list(names)
    row = connection.execute(READ).fetchone()
    assert row is not None  # noqa: S101  a SELECT without FROM has one row
    superuser = row[1]
    if superuser:
        alters = sets = frozenset(names)
    elif connection.info.server_version // 10000 >= PARAMETER_GRANTS:
        alters, sets = (_granted(connection, names, one) for one in ("ALTER SYSTEM", "SET"))
    else:
        alters = sets = frozenset()
    return replace(Rights(*row), alters=alters, sets=sets)


def _granted(connection: Connection, names: list[str], privilege: str) -> frozenset[str]:
    return frozenset(row[0] for row in connection.execute(GRANTED, [names, privilege]))
