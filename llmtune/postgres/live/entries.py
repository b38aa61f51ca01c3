"""The owner's ALTER SYSTEM entries, and putting them back by whatever way is open."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

import psycopg

from llmtune.errors import ServerDidNotStart, TargetError
from llmtune.knobs.configuration import Value
from llmtune.postgres.auto_conf import edited, entries
from llmtune.postgres.live.auto_conf_file import AutoConfFile
from llmtune.postgres.live.present import AUTO_CONF, read_present
from llmtune.postgres.originals import Standing, read_entries, whose
from llmtune.postgres.server_settings import (
    alter_system,
    read_settings,
    reload_settings,
    same_value,
)
from llmtune.postgres.target import Connection

Ours: TypeAlias = Mapping[str, Collection[str | None]]
"""The texts that entries may have from us, by the knob; None among them: no entry."""


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

    def put_back(self, connection: Connection, ours: Ours) -> tuple[str, ...]:
        """Make ALTER SYSTEM's file say what it said where it has our entries; reload then.

        What somebody else has set meanwhile stays.

        Returns:
            The knobs that have their value back only after a restart.

        Raises:
            TargetError: the server refuses.
        """
        found = read_entries(connection, ours)
        changes = self._changes(found, ours)
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
        theirs = self._of(Standing.FOREIGN, found, ours)
        names = [name for name in ours if name in self.values and name not in theirs]
        now = read_settings(connection, names)
        return tuple(n for n in names if not same_value(now[n].asked, self.values[n]))

    def undo_outside(
        self, file: AutoConfFile | None, last: Mapping[str, str | None], ours: Ours
    ) -> None:
        """The same in the file of a server that is down.

        Args:
            file: None: it is out of reach.
            last: the entries as we last saw or made them; None: there was none.

        Raises:
            ServerDidNotStart: it is out of reach and has ours; the message says what to do
                by hand.
            TargetError: it cannot be read or written.
        """
        if file is None:
            if self._changes(last, ours):
                raise ServerDidNotStart(self._by_hand(last, ours))
            return
        content = file.read()
        changes = self._changes(entries(content, ours), ours)
        if changes:
            file.write(edited(content, changes))

    def _by_hand(self, last: Mapping[str, str | None], ours: Ours) -> str:
        changes = self._changes(last, ours)
        remove = [f"{name} = '{last[name]}'" for name in changes if last.get(name) is not None]
        add = [f"{name} = '{text}'" for name, text in changes.items() if text is not None]
        return (
            "the server does not start and its data folder is out of reach; "
            f"in its {AUTO_CONF} remove the lines {'; '.join(remove) or '(none)'}"
            f"{', put in ' if add else ''}{'; '.join(add)}, and start it"
        )

    def _changes(self, now: Mapping[str, str | None], ours: Ours) -> dict[str, str | None]:
        return {name: self.texts.get(name) for name in self._of(Standing.OURS, now, ours)}

    def _of(self, standing: Standing, now: Mapping[str, str | None], ours: Ours) -> list[str]:
        """The knobs whose entries stand so."""
        return [
            name
            for name, texts in ours.items()
            if name in self.names and whose(now.get(name), self.texts.get(name), texts) is standing
        ]
