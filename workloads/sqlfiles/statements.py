"""The statements of an SQL text, found by PostgreSQL's own parser."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from operator import attrgetter, itemgetter
from typing import TYPE_CHECKING

from llmtune.errors import UsageError

if TYPE_CHECKING:
    from pglast.ast import Node
    from pglast.parser import Token

COMMENTS = ("SQL_COMMENT", "C_COMMENT")
_SEMICOLON = "ASCII_59"


@dataclass(frozen=True, slots=True)
class Comment:
    """A comment with its marks taken off, such as `weight: 3`, and the line it starts on."""

    text: str
    line: int


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement of a text.

    Attributes:
        sql: from its first to its last word, comments inside included.
        line: where its first word stands, counted from 1.
        comments: those before it, inside it, and behind it on its last line.
    """

    sql: str
    line: int
    tree: Node
    comments: tuple[Comment, ...]


def parse_statements(text: str, name: str) -> tuple[Statement, ...]:
    """The statements of `text`, in order; none when there are only comments.

    Args:
        name: of the file, for messages.

    Raises:
        UsageError: the text does not parse; file, line and column are named.
    """
    import pglast

    if "\0" in text:
        raise UsageError(f"{name}:{_line(text, text.index(chr(0)))}: holds a NUL character")
    try:
        parsed = pglast.parse_sql(text)
        tokens = pglast.scan(text)
    except pglast.parser.ParseError as error:
        raise _refused(text, name, error) from error
    places = _places(tokens, [raw.stmt_location or 0 for raw in parsed])
    comments = _comments(text, tokens, places)
    return tuple(
        Statement(text[first : last + 1], _line(text, first), raw.stmt, tuple(comments[number]))
        for number, (raw, (first, last)) in enumerate(zip(parsed, places, strict=True))
        if raw.stmt is not None
    )


def _places(tokens: Sequence[Token], starts: list[int]) -> list[tuple[int, int]]:
    """First and last character of each statement: its words are those before the next start."""
    words = [token for token in tokens if token.name not in (*COMMENTS, _SEMICOLON)]
    firsts = [bisect_left(words, start, key=attrgetter("start")) for start in starts]
    ends = [*firsts, len(words)][1:]
    return [(words[a].start, words[b - 1].end) for a, b in zip(firsts, ends, strict=True)]


def _comments(
    text: str, tokens: Sequence[Token], places: list[tuple[int, int]]
) -> defaultdict[int, list[Comment]]:
    """The comments of each statement, by its number."""
    comments: defaultdict[int, list[Comment]] = defaultdict(list)
    for token in tokens:
        if token.name in COMMENTS:
            words = text[token.start : token.end + 1]
            bare = words.removeprefix("--").removeprefix("/*").removesuffix("*/").strip()
            owner = _owner(text, token.start, places)
            comments[owner].append(Comment(bare, _line(text, token.start)))
    return comments


def _owner(text: str, position: int, places: list[tuple[int, int]]) -> int:
    """Whose comment stands at `position`: the statement's before it on its line, or the next's."""
    before = bisect_right(places, position, key=itemgetter(0)) - 1
    if before >= 0 and "\n" not in text[places[before][1] : position]:
        return before
    return before if before >= 0 and position < places[before][1] else before + 1


def _line(text: str, position: int) -> int:
    return text.count("\n", 0, position) + 1


def _refused(text: str, name: str, error: Exception) -> UsageError:
    """The parser's complaint with its place, and what psql would have understood."""
    message, found = error.args
    position = len(text.rstrip()) if found is None else int(found)
    column = position - (text.rfind("\n", 0, position) + 1) + 1
    return UsageError(
        f"{name}:{_line(text, position)}:{column}: {_explained(text, position, message)}"
    )


def _explained(text: str, position: int, message: str) -> str:
    word = re.split(r"[\s,;)]", text[position:], maxsplit=1)[0]
    if word.startswith("\\"):
        return f"{word} is a command of psql's, which the server does not know; take it out"
    if word.startswith(":") and len(word) > 1:
        return f"{word} is a variable of psql's; write its value"
    return message
