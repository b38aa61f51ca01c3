"""Every exception LLMTune raises on purpose.

All derive from `LLMTuneError`; its message is one the user can act on: what is
wrong, where, and what to do. The command line prints the message alone and
exits with `exit_code`; a traceback always means a defect in LLMTune.

    LLMTuneError                     exit 1: the work failed
    |-- UsageError                   exit 2: the request itself is wrong
    |   |-- UnknownName              no such workload, optimizer, knob ...
    |   `-- InvalidConfiguration     a value that its knob space does not allow
    |-- CatalogueMismatch            the knob catalogue and the server disagree
    |-- TargetError                  the server cannot be reached or controlled
    |   |-- ServerDidNotStart        start or restart failed; `log` holds the tail
    |   |-- ConnectionFailed         nothing answers at the address
    |   |   |-- LoginRefused         a server answers, but does not let us in
    |   |   `-- ServerNotReady       a server answers, but starts or shuts down just now
    |   |-- UnsupportedServer        a server version outside the catalogue's
    |   `-- ReadBackMismatch         the server runs other values than applied
    |-- LoadError                    a data set could not be loaded
    |-- QueryFailed                  a query raised an error; `query_id` names it
    |-- DatasetError                 a training file is damaged or of another schema
    |-- ModelError                   a base model or an adapter cannot be used
    |   `-- AdapterMismatch          trained for another base model or catalogue
    `-- SessionError                 a stored session cannot be read or continued
"""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


class LLMTuneError(Exception):
    """Base of all errors that are the user's or the world's, not a defect."""

    exit_code = 1


class UsageError(LLMTuneError):
    """The request itself is wrong; nothing was touched."""

    exit_code = 2


class UnknownName(UsageError):
    """`name` is not one of the `known` names of its `kind`."""

    def __init__(self, kind: str, name: str, known: Iterable[str]) -> None:
        names = sorted(known)
        close = get_close_matches(name, names, n=1)
        hint = f"; did you mean {close[0]!r}?" if close else "."
        super().__init__(f"unknown {kind} {name!r}{hint} Known: {', '.join(names) or 'none'}.")
        self.kind = kind
        self.name = name


class InvalidConfiguration(UsageError):
    """A configuration names a knob or a value that its knob space does not have."""


class CatalogueMismatch(LLMTuneError):
    """The knob catalogue says something about a knob that the server denies."""


class TargetError(LLMTuneError):
    """The target's server cannot be reached or controlled."""


class ServerDidNotStart(TargetError):
    """The server did not come up; `log` is the tail of its log."""

    def __init__(self, message: str, log: str = "") -> None:
        super().__init__(f"{message}\n{log}".rstrip())
        self.log = log


class ConnectionFailed(TargetError):
    """No server answers, or it refuses this user."""


class LoginRefused(ConnectionFailed):
    """A server answers and does not let us in, or the address cannot be right.

    So it is not down: to restart it, or to mend its files, would not help.
    """


class ServerNotReady(ConnectionFailed):
    """A server answers that it starts, replays its WAL or shuts down just now.

    So it is waited for, however long that takes: to restart it would only make it
    begin anew.
    """


class UnsupportedServer(TargetError):
    """The server's major version is not one the catalogue covers."""


class ReadBackMismatch(TargetError):
    """After applying, the server reports other values than were asked for."""


class LoadError(LLMTuneError):
    """A data set could not be loaded; nothing half-loaded is left behind."""


class QueryFailed(LLMTuneError):
    """A query of the workload raised an error on the server.

    `place` says where its author finds it, such as `report.sql:12`.
    """

    def __init__(self, query_id: str, reason: str, place: str = "") -> None:
        where = f"{query_id} ({place})" if place else query_id
        super().__init__(f"query {where} failed: {reason}")
        self.query_id = query_id


class DatasetError(LLMTuneError):
    """A measurement or pair file is damaged, or of a schema this version cannot read."""


class ModelError(LLMTuneError):
    """A base model or an adapter cannot be loaded."""


class AdapterMismatch(ModelError):
    """The adapter was trained for another base model or another knob catalogue."""


class SessionError(LLMTuneError):
    """A stored session cannot be read, continued or restored."""
