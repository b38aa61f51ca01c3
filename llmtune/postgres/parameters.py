"""Values for the parameters of a statement that the server has taken its constants out of."""

from __future__ import annotations

from collections.abc import Mapping
from random import Random

import psycopg
from psycopg import sql

from llmtune.postgres.column_values import ColumnValues, column_values
from llmtune.postgres.target import Connection
from workloads.captured.fill import array_text, fill, quoted
from workloads.captured.places import Place, Role
from workloads.captured.scope import Column

LIST_VALUES = 3
"""How many values stand for a list, whose length the server does not tell."""

_NUMBERS = ("smallint", "integer", "bigint", "numeric", "real", "double precision")
_GUESSES = {**dict.fromkeys(_NUMBERS, "1"), "boolean": "true", "interval": "'1 month'"}
_GUESSED_OUTPUTS = {**_GUESSES, "text": "'x'", "date": "'2000-01-01'"}
_CASTS = {"int2": "smallint", "int4": "integer", "int8": "bigint", "float8": "double precision"}
_CASTS |= {"float4": "real", "bool": "boolean"}
_AT_ROLE = {Role.LIMIT: "100", Role.OFFSET: "0", Role.FIELD: "'month'"}
_RANGE = (Role.LOWER, Role.UPPER)
_PROBE = "llmtune_probe"


class ParameterValues:
    """Draws values for the parameters of one statement.

    A parameter that is compared with a column gets the column's values. Numbers,
    intervals and what is only put out get a guess, by their type; so do limits.

    Attributes:
        unknown: parameters without a value, each with its type as far as known.
    """

    def __init__(
        self, connection: Connection, statement: str, places: Mapping[int, Place], rng: Random
    ) -> None:
        """Look for the values of each column; the statement is not run."""
        self._connection = connection
        self._statement = statement
        self._places = places
        self._rng = rng
        self._values: dict[int, ColumnValues] = {}
        self._guesses: dict[int, str] = {}
        self.unknown: dict[int, str] = {}
        self._find()

    def draw(self) -> str:
        """The statement with one set of values."""
        return fill(self._statement, self._literals())

    def _literals(self) -> dict[int, list[str]]:
        """A guess, or a draw of its column's values, for every known parameter."""
        return {number: [text] for number, text in self._guesses.items()} | self._drawn()

    def _find(self) -> None:
        for number, place in self._places.items():
            ordered = place.role in _RANGE
            if place.column is not None:
                values = column_values(self._connection, place.column, ordered=ordered)
                if values is not None:
                    self._values[number] = values
                    continue
            guess = _AT_ROLE.get(place.role) or _guess(place, place.cast)
            if guess is not None:
                self._guesses[number] = guess
        self._guess_by_type([n for n in self._places if n not in self._known()])

    def _known(self) -> set[int]:
        return {*self._values, *self._guesses}

    def _guess_by_type(self, numbers: list[int]) -> None:
        """Ask the server for the types of the rest."""
        types = self._types(numbers)
        if numbers and not types:
            # Left open, an output is a text: no sum of it can be prepared.
            outputs = [n for n in numbers if self._places[n].role is Role.OUTPUT]
            self._guesses |= dict.fromkeys(outputs, "1")
            numbers = [n for n in numbers if n not in outputs]
            types = self._types(numbers)
        for number in numbers:
            guess = _guess(self._places[number], types.get(number, ""))
            if guess is None:
                self.unknown[number] = types.get(number, "")
            else:
                self._guesses[number] = guess

    def _types(self, numbers: list[int]) -> dict[int, str]:
        """Types that the server infers; none where the statement cannot be prepared.

        The other parameters have values by then: `date $1` is no SQL.
        """
        if not numbers:
            return {}
        literals = self._literals()
        literals |= {number: [f"${at}"] for at, number in enumerate(numbers, start=1)}
        prepare = sql.SQL("PREPARE {} AS ").format(sql.Identifier(_PROBE))
        text = prepare.as_string(self._connection) + fill(self._statement, literals)
        try:
            self._connection.execute(text.encode(), prepare=False)
        except psycopg.Error:
            if self._connection.broken:
                raise
            return {}
        row = self._connection.execute(
            "SELECT parameter_types::text[] FROM pg_prepared_statements WHERE name = %s", [_PROBE]
        ).fetchone()
        self._connection.execute(sql.SQL("DEALLOCATE {}").format(sql.Identifier(_PROBE)))
        return dict(zip(numbers, row[0], strict=False)) if row else {}

    def _drawn(self) -> dict[int, list[str]]:
        """Literals for every parameter that has a column's values."""
        drawn = self._ranges()
        for number, values in self._values.items():
            if number not in drawn:
                texts = [values.draw(self._rng) for _ in range(LIST_VALUES)]
                drawn[number] = self._written(number, texts)
        return drawn

    def _ranges(self) -> dict[int, list[str]]:
        """Bounds of the same column are drawn together: no lower one above an upper one."""
        columns: dict[Column, list[int]] = {}
        for number in self._values:
            place = self._places[number]
            if place.column is not None and place.role in _RANGE:
                columns.setdefault(place.column, []).append(number)
        drawn: dict[int, list[str]] = {}
        for numbers in columns.values():
            numbers.sort(key=lambda number: self._places[number].role is Role.UPPER)
            texts = self._values[numbers[0]].draw_ordered(self._rng, len(numbers))
            drawn |= {n: self._written(n, [text]) for n, text in zip(numbers, texts, strict=True)}
        return drawn

    def _written(self, number: int, texts: list[str]) -> list[str]:
        """Values of a parameter's column as literals at its place."""
        place = self._places[number]
        if place.fold:
            texts = [text.lower() if place.fold == "lower" else text.upper() for text in texts]
        if place.role is Role.LIKE:
            words = texts[0].split()
            texts = [f"%{self._rng.choice(words) if words else texts[0]}%"]
        if place.array:
            return [quoted(array_text(texts))]
        if self._values[number].numbers:
            # Quoted ones would have no type: `'1' - '2'` is not SQL.
            return [f"({text})" if text.startswith("-") else text for text in texts]
        return [quoted(text) for text in texts]


def _guess(place: Place, kind: str) -> str | None:
    guesses = _GUESSED_OUTPUTS if place.role is Role.OUTPUT else _GUESSES
    return guesses.get(_CASTS.get(kind, kind))
