"""Statements with their real values from a server's log in csv or JSON form.

The forms are those of PostgreSQL's manual, chapter Error Reporting and Logging.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

from llmtune.errors import UsageError
from workloads.captured.fill import fill
from workloads.sqlfiles.statements import parse_statements

SUFFIXES = (".csv", ".json")
_LONGEST_FIELD = 1 << 28
_COLUMNS = 26
_DATABASE, _SEVERITY, _MESSAGE, _DETAIL, _APPLICATION, _QUERY_ID = 2, 11, 13, 14, 22, 25


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of a log; `query_id` is 0 where the server does not tell."""

    database: str
    application: str
    severity: str
    message: str
    detail: str
    query_id: int


@dataclass(frozen=True, slots=True)
class Logged:
    """One statement of a log with its values in it."""

    sql: str
    query_id: int


def log_files(path: Path) -> list[Path]:
    """The log itself, or all logs in a folder by name.

    Raises:
        UsageError: there is none, or we may not look.
    """
    with _reading(path):
        files = sorted(path.iterdir()) if path.is_dir() else [path]
        logs = [file for file in files if file.suffix in SUFFIXES and file.is_file()]
    if not logs:
        raise UsageError(
            f"{path} is no statement log in csv or JSON form and holds none; write one with "
            "log_destination = 'csvlog', logging_collector = on and log_min_duration_statement = 0"
        )
    return logs


def logged_statements(path: Path, database: str) -> Iterator[Logged]:
    """The statements that clients ran in `database`, one after another.

    What LLMTune ran itself, what does not parse and what lacks its values is left out.

    Raises:
        UsageError: no log, or one that is damaged or may not be read; file and line
            are named.
    """
    for file in log_files(path):
        for entry in _entries(file):
            ours = entry.application == "llmtune"
            if (entry.database, entry.severity) == (database, "LOG") and not ours:
                yield from _statements(entry)


class Reservoir:
    """An even random sample of a stream of unknown length, at most `size` of it."""

    def __init__(self, size: int, rng: Random) -> None:
        self.kept: list[str] = []
        self._size, self._rng, self._seen = size, rng, 0

    def add(self, text: str) -> None:
        """See one more."""
        self._seen += 1
        if len(self.kept) < self._size:
            self.kept.append(text)
        elif (place := self._rng.randrange(self._seen)) < self._size:
            self.kept[place] = text


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    """A server keeps its logs from other accounts."""
    try:
        yield
    except OSError as error:
        raise UsageError(
            f"{path} cannot be read: {error.strerror}; copy the log to where this account "
            "may read it"
        ) from error


def _entries(file: Path) -> Iterator[Entry]:
    with _reading(file):
        yield from _csv(file) if file.suffix == ".csv" else _json(file)


def _csv(file: Path) -> Iterator[Entry]:
    csv.field_size_limit(_LONGEST_FIELD)
    with file.open(encoding="utf-8", errors="replace", newline="") as lines:
        # A server may be in the middle of its last line, wherever that breaks off.
        reader = csv.reader((one for one in lines if one.endswith(("\n", "\r"))), strict=True)
        try:
            for row in reader:
                yield _row(row, f"{file}:{reader.line_num}")
        except csv.Error as error:
            # Or in the middle of a statement of several lines.
            if "unexpected end" not in str(error):
                raise UsageError(f"{file}:{reader.line_num}: {error}") from error


def _row(row: Sequence[str], place: str) -> Entry:
    if len(row) < _APPLICATION + 1:
        raise UsageError(
            f"{place}: a line of a csv log has {_COLUMNS} columns, not {len(row)}; is it one?"
        )
    query_id = row[_QUERY_ID] if len(row) > _QUERY_ID else ""
    return Entry(
        database=row[_DATABASE],
        application=row[_APPLICATION],
        severity=row[_SEVERITY],
        message=row[_MESSAGE],
        detail=row[_DETAIL],
        query_id=_number(query_id),
    )


def _json(file: Path) -> Iterator[Entry]:
    with file.open(encoding="utf-8", errors="replace") as lines:
        for number, line in enumerate(lines, start=1):
            try:
                facts = json.loads(line)
            except ValueError as error:
                if not line.endswith("\n"):
                    return
                raise UsageError(f"{file}:{number}: not a line of a JSON log: {error}") from error
            if not isinstance(facts, dict):
                raise UsageError(f"{file}:{number}: not a line of a JSON log")
            yield _facts(facts)


def _facts(facts: dict[str, Any]) -> Entry:
    return Entry(
        database=str(facts.get("dbname", "")),
        application=str(facts.get("application_name", "")),
        severity=str(facts.get("error_severity", "")),
        message=str(facts.get("message", "")),
        detail=str(facts.get("detail", "")),
        query_id=_number(str(facts.get("query_id", ""))),
    )


def _number(text: str) -> int:
    return int(text) if text.removeprefix("-").isdigit() else 0


def _statements(entry: Entry) -> Iterator[Logged]:
    """A message with a statement, such as `duration: 1.2 ms  execute <unnamed>: SELECT $1`."""
    message = entry.message
    if message.startswith("duration: "):
        message = message.partition(" ms")[2].lstrip()
    kind, _, sql = message.partition(": ")
    if kind != "statement" and not kind.startswith("execute "):
        return
    try:
        values = parameter_values(entry.detail)
        parsed = parse_statements(sql, "log")
        for one in parsed:
            yield Logged(fill(one.sql, values), entry.query_id if len(parsed) == 1 else 0)
    except (UsageError, KeyError):
        return


def parameter_values(detail: str) -> dict[int, tuple[str]]:
    """Literals by number from `Parameters: $1 = 'a', $2 = NULL`; none without such a text."""
    from pglast import scan
    from pglast.parser import ParseError

    if not detail.lower().startswith("parameters: "):
        return {}
    try:
        tokens = scan(detail)
    except ParseError as error:
        raise UsageError(f"the log's parameters cannot be read: {error}") from error
    words = [(token.name, detail[token.start : token.end + 1]) for token in tokens]
    return {
        int(words[at][1][1:]): (words[at + 2][1],)
        for at in range(len(words) - 2)
        if words[at][0] == "PARAM"
    }
