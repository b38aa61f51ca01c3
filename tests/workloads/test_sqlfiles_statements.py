"""Splitting SQL: what stands between and inside statements must not matter."""

import pglast
import pytest
from hypothesis import given
from hypothesis import strategies as st

from workloads.sqlfiles.statements import parse_statements

SPACES = st.sampled_from(
    [" ", "\n", "\t", "/* ; */", "/* /* ; */ ' */", "-- ; '\n", "-- $$\n", "\r\n", "/* é $1 */"]
)
LITERALS = ["1", "'a;b'", "'it''s; é'", '"odd;name"', "$$x; y$$", "$t$ ; $$ ; $t$", "E'\\';'"]


@st.composite
def queries(draw: st.DrawFn) -> list[str]:
    """The words of one SELECT statement."""
    outputs = draw(st.lists(st.sampled_from(LITERALS), min_size=1, max_size=3))
    return ["SELECT", outputs[0], *(word for output in outputs[1:] for word in (",", output))]


def spaced(draw: st.DrawFn) -> str:
    return " " + "".join(draw(st.lists(SPACES, max_size=3))) + " "


@st.composite
def texts(draw: st.DrawFn) -> tuple[str, list[list[str]]]:
    """A text of several statements with anything between their words, and the words."""
    statements = draw(st.lists(queries(), min_size=1, max_size=4))
    text = spaced(draw)
    for words in statements:
        text += "".join(word + spaced(draw) for word in words)
        text += ";" * draw(st.integers(1, 2)) + spaced(draw)
    return text, statements


@given(texts())
def test_splitting_does_not_depend_on_spaces_comments_and_quotes(
    made: tuple[str, list[list[str]]],
) -> None:
    text, statements = made
    found = parse_statements(text, "x.sql")
    assert len(found) == len(statements)
    for statement, words in zip(found, statements, strict=True):
        assert statement.sql.startswith(words[0])
        assert statement.sql.endswith(words[-1])
        assert pglast.fingerprint(statement.sql) == pglast.fingerprint(" ".join(words))
        kept = pglast.parse_sql(statement.sql)[0].stmt
        plain = pglast.parse_sql(" ".join(words))[0].stmt
        assert kept == plain


@pytest.mark.parametrize(
    ("text", "owners"),
    [
        ("-- a\nSELECT 1; -- b\n-- c\nSELECT 2;", [["a", "b"], ["c"]]),
        ("SELECT 2 -- d\n, 3 /* e */;\n-- f", [["d", "e"]]),
        ("SELECT 1; SELECT 2; -- a", [[], ["a"]]),
        ("/* a */ SELECT 1; /* b\n*/ SELECT 2", [["a", "b"], []]),
    ],
)
def test_a_comment_belongs_to_the_statement_on_its_line_or_below(
    text: str, owners: list[list[str]]
) -> None:
    found = parse_statements(text, "x.sql")
    assert [[comment.text for comment in one.comments] for one in found] == owners


def test_lines_are_counted_where_statements_start() -> None:
    found = parse_statements("\n-- x\nSELECT 1;\n;;\n\n/* \n */ SELECT 'é\n';SELECT 3", "x.sql")
    assert [one.line for one in found] == [3, 7, 8]
    assert [one.sql for one in found] == ["SELECT 1", "SELECT 'é\n'", "SELECT 3"]


def test_many_statements_take_no_time_that_grows_with_their_square() -> None:
    found = parse_statements("-- c\nSELECT 1;\n" * 3000, "x.sql")
    assert len(found) == 3000
    assert all(len(one.comments) == 1 for one in found)
