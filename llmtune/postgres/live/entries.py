"""The owner's ALTER SYSTEM entries, and putting them back by whatever way is open."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import psycopg

from llmtune.errors import ServerDidNotStart, TargetError
from llmtune.knobs.configuration import Value
from llmtune.postgres.auto_conf import edited, entries
from llmtune.postgres.live.present import AUTO_CONF, read_present
from llmtune.postgres.live.restarter import AutoConfFile
from llmtune.postgres.originals import read_entries, same_text
from llmtune.postgres.server_settings import (
    alter_system,
    read_settings,
    reload_settings,
    same_value,
)
from llmtune.postgres.target import Connection


@dataclass(frozen=True, slots=True)
class OwnersEntries:
    """What a server's knobs were when we came.

    Attributes:
        names: the knobs that may be changed; all others are none of our business.
        texts: the entries of those that have one.
        values: the values in force of those that take a restart to change.
    """

    names: tuple[str, ...]
    texts: Mapping[str, str]
    values: Mapping[str, Value]

    @classmethod
    def read(cls, connection: Connection, names: Iterable[str]) -> OwnersEntries:
        """The entries and values of these knobs now."""
        names = tuple(names)
        present = read_present(connection, names).items()
        values = {name: one.value for name, one in present if one.context == "postmaster"}
        return cls(names, read_entries(connection, names), values)

    def put_back(self, connection: Connection) -> tuple[str, ...]:
        """Make ALTER SYSTEM's file say of these knobs what it said; reload if it did not.

        Returns:
            The knobs that have their value back only after a restart.

        Raises:
            TargetError: the server refuses.
        """
        changes = self._changes(read_entries(connection, self.names))
        try:
            for name, text in changes.items():
                alter_system(connection, name, text)
            if changes:
                reload_settings(connection)
        except psycopg.OperationalError:
            raise
        except psycopg.Error as error:
            raise TargetError(
                f"the server refuses to have its settings put back: {error.diag.message_primary}"
            ) from error
        now = read_settings(connection, self.values)
        return tuple(n for n in self.values if not same_value(now[n].asked, self.values[n]))

    def undo_outside(self, file: AutoConfFile | None, last: Mapping[str, str]) -> None:
        """The same in the file of a server that is down.

        Args:
            file: None: it is out of reach.
            last: the entries when the server was last asked.

        Raises:
            ServerDidNotStart: it is out of reach; the message says what to do by hand.
            TargetError: it cannot be read or written.
        """
        if file is None:
            raise ServerDidNotStart(self._by_hand(last))
        content = file.read()
        changes = self._changes(entries(content, self.names))
        if changes:
            file.write(edited(content, changes))

    def _by_hand(self, last: Mapping[str, str]) -> str:
        changes = self._changes(last)
        remove = [f"{name} = '{last[name]}'" for name in changes if name in last]
        add = [f"{name} = '{text}'" for name, text in changes.items() if text is not None]
        return (
            "the server does not start and its data folder is out of reach; "
            f"in its {AUTO_CONF} remove the lines {'; '.join(remove) or '(none)'}"
            f"{', put in ' if add else ''}{'; '.join(add)}, and start it"
        )

    def _changes(self, now: Mapping[str, str]) -> dict[str, str | None]:
        return {
            name: self.texts.get(name)
            for name in self.names
            if not same_text(now.get(name), self.texts.get(name))
        }
