"""Statement logs that PostgreSQL 18 wrote: one run of a shop, in both forms."""

from collections import Counter
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmtune.errors import UsageError
from workloads.captured.fill import array_text, fill, quoted
from workloads.captured.log import Reservoir, log_files, logged_statements, parameter_values

GOLDEN = Path(__file__).parent / "golden"
FORMS = ["statements.csv", "statements.json"]
PREPARED = (
    "SELECT * FROM item WHERE id = '{}' AND name <> 'O''Neil, \\ \"x\"\nsecond line'"
    " AND sold > NULL"
)


@pytest.mark.parametrize("form", FORMS)
def test_a_log_gives_statements_with_their_values(form: str) -> None:
    found = [one.sql for one in logged_statements(GOLDEN / form, "shop")]
    assert found[2:8] == [
        "SELECT count(*) FROM item WHERE name = 'it''s; \"odd\"'\n  AND price > 3",
        PREPARED.format(7),
        PREPARED.format(8),
        "SELECT 1 FROM item WHERE id = 5",
        "UPDATE item SET price = 2 WHERE id = 6",
        "SELECT name FROM item ORDER BY price LIMIT 3",
    ]
    assert not [sql for sql in found if "max(id)" in sql], "that was LLMTune itself"
    others = [one.sql for one in logged_statements(GOLDEN / form, "postgres")]
    assert others == ["SELECT 'another database'"]


def test_both_forms_say_the_same() -> None:
    first, second = (list(logged_statements(GOLDEN / form, "shop")) for form in FORMS)
    assert first == second
    assert 1656093005836143283 in {one.query_id for one in first}


def damaged(tmp_path: Path, form: str, change: str) -> Path:
    copy = tmp_path / form
    text = (GOLDEN / form).read_text()
    lines = text.splitlines(keepends=True)
    if change == "cut short":
        copy.write_text(text[:-30])
    else:
        copy.write_text("".join([*lines[:3], "something else\n", *lines[3:]]))
    return copy


@pytest.mark.parametrize(
    ("form", "said"),
    [
        ("statements.csv", r"statements\.csv:4: .* has 26 columns, not 1"),
        ("statements.json", r"statements\.json:4: not a line of a JSON log"),
    ],
)
def test_a_damaged_log_is_named_with_its_line(tmp_path: Path, form: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        list(logged_statements(damaged(tmp_path, form, "a strange line"), "shop"))


@pytest.mark.parametrize("form", FORMS)
def test_a_last_line_that_is_being_written_is_passed_over(tmp_path: Path, form: str) -> None:
    path = damaged(tmp_path, form, "cut short")
    assert list(logged_statements(path, "shop")) == list(logged_statements(GOLDEN / form, "shop"))


@pytest.mark.parametrize("form", FORMS)
def test_a_log_may_break_off_anywhere(tmp_path: Path, form: str) -> None:
    text, copy = (GOLDEN / form).read_text(), tmp_path / form
    whole = list(logged_statements(GOLDEN / form, "shop"))
    counts = []
    for cut in (*range(500, len(text) - 200, 61), *range(len(text) - 200, len(text))):
        copy.write_text(text[:cut])
        found = list(logged_statements(copy, "shop"))
        assert found == whole[: len(found)], cut
        counts.append(len(found))
    assert counts == sorted(counts)
    assert counts[-1] == len(whole)


@pytest.mark.parametrize("name", ["", "statements.csv", "log/statements.json"])
def test_a_log_of_another_account_is_to_be_copied(
    private: Path, unprivileged: Callable[[], AbstractContextManager[None]], name: str
) -> None:
    with unprivileged(), pytest.raises(UsageError) as caught:
        list(logged_statements(private / name, "shop"))
    assert str(caught.value) == (
        f"{private / name} cannot be read: Permission denied; copy the log to where this "
        "account may read it"
    )


def test_a_folder_is_all_its_logs(tmp_path: Path) -> None:
    for name in ("b.csv", "a.json", "readme.txt"):
        (tmp_path / name).touch()
    assert [file.name for file in log_files(tmp_path)] == ["a.json", "b.csv"]


def test_without_a_log_it_says_how_to_write_one(tmp_path: Path) -> None:
    (tmp_path / "postgresql.log").touch()
    for path in (tmp_path, tmp_path / "postgresql.log", tmp_path / "none.csv"):
        with pytest.raises(UsageError, match="log_destination = 'csvlog'"):
            log_files(path)


def test_parameters_as_older_servers_write_them() -> None:
    found = parameter_values("parameters: $1 = 'a''$2 = ''b', $2 = NULL, $10 = '-5'")
    assert found == {1: ("'a''$2 = ''b'",), 2: ("NULL",), 10: ("'-5'",)}
    assert parameter_values("prepare: PREPARE a AS SELECT $1") == {}
    assert parameter_values("") == {}


def test_filling_replaces_parameters_and_nothing_else() -> None:
    sql = "SELECT '$1', $2 -- $1\nFROM t WHERE a IN ($1 /*, ... */) AND b = $10 AND c = $1"
    filled = fill(sql, {1: ["7", "8"], 2: ["'é$1'"], 10: ["NULL"]})
    assert filled == (
        "SELECT '$1', 'é$1' -- $1\nFROM t WHERE a IN (7, 8 /*, ... */) AND b = NULL AND c = 7"
    )
    with pytest.raises(KeyError):
        fill("SELECT $3", {})


@given(st.lists(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))))
def test_quoted_texts_are_read_back_as_they_were(texts: list[str]) -> None:
    import pglast

    for text in texts:
        (raw,) = pglast.parse_sql(f"SELECT {quoted(text)}")
        assert raw.stmt is not None
        assert raw.stmt.targetList[0].val.val.sval == text  # type: ignore[attr-defined]


def test_arrays_escape_what_is_special() -> None:
    assert array_text(["a", 'b"c', "d\\e", "f,{g}"]) == '{"a","b\\"c","d\\\\e","f,{g}"}'


def test_a_reservoir_keeps_an_even_sample() -> None:
    counts: Counter[str] = Counter()
    for seed in range(300):
        reservoir = Reservoir(2, Random(seed))  # noqa: S311
        for text in "abcdefgh":
            reservoir.add(text)
        assert len(reservoir.kept) == 2
        counts.update(reservoir.kept)
    assert min(counts.values()) > 40
    assert len(counts) == 8
