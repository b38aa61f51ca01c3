"""Putting values in the place of a statement's parameters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

_PARAMETER = "PARAM"
_MORE = "/*, ... */"
"""PostgreSQL 18 shows the first value of a list followed by this comment."""


def fill(sql: str, literals: Mapping[int, Sequence[str]]) -> str:
    """`sql` with SQL literals in the place of its parameters.

    Args:
        literals: by the parameter's number; all of them stand in a list that
            the server has shortened, elsewhere the first does.

    Raises:
        KeyError: a parameter has no literal; its number.
    """
    from pglast import scan

    text, done = [], 0
    tokens = scan(sql)
    for token, following in zip(tokens, [*tokens[1:], None], strict=True):
        if token.name != _PARAMETER:
            continue
        given = literals[int(sql[token.start + 1 : token.end + 1])]
        shortened = following is not None and sql[following.start : following.end + 1] == _MORE
        text += [sql[done : token.start], ", ".join(given if shortened else given[:1])]
        done = token.end + 1
    return "".join([*text, sql[done:]])


def quoted(text: str) -> str:
    """A text as an SQL literal, whatever the server's `standard_conforming_strings`."""
    escaped = text.replace("'", "''")
    return f" E'{escaped.replace(chr(92), chr(92) * 2)}'" if "\\" in text else f"'{escaped}'"


def array_text(values: Sequence[str]) -> str:
    """The values as PostgreSQL writes a one-dimensional array."""
    escaped = (value.replace("\\", "\\\\").replace('"', '\\"') for value in values)
    return "{" + ",".join(f'"{value}"' for value in escaped) + "}"
