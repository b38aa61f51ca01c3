"""The catalogue against real servers: their descriptions, and what they accept."""

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from psycopg import sql

from llmtune.errors import TargetError
from llmtune.knobs.catalogue import check, load_catalogue
from llmtune.knobs.knob import Effect
from llmtune.knobs.levels import LevelCodec
from llmtune.knobs.space import resolve_space
from llmtune.postgres.binaries import find_binaries
from llmtune.postgres.embedded import EmbeddedTarget
from llmtune.postgres.server_settings import parse_value, settings_rows
from llmtune.postgres.target import Target


@pytest.fixture(scope="module")
def installed(cache: Path) -> Iterator[Target]:
    """The PostgreSQL that this machine has of its own."""
    program = shutil.which("pg_config")
    if program is None:
        pytest.skip("no PostgreSQL is installed here: there is no pg_config")
    shown = subprocess.run([program, "--bindir"], capture_output=True, text=True, check=True)
    try:
        binaries = find_binaries(Path(shown.stdout.strip()))
    except TargetError as error:
        pytest.skip(f"the PostgreSQL installed here cannot be used: {error}")
    with EmbeddedTarget(binaries=binaries, cache=cache) as target:
        yield target


@pytest.fixture(params=["embedded", "installed"])
def target(request: pytest.FixtureRequest) -> Target:
    chosen: Target = request.getfixturevalue(request.param)
    return chosen


def test_the_server_confirms_every_word_of_the_catalogue(target: Target):
    with target.connect() as connection:
        rows = settings_rows(connection)
    check(load_catalogue(), target.version, rows)
    assert len(rows) > 300


def test_the_server_takes_every_level_of_a_session_knob_and_shows_it_again(target: Target):
    space = resolve_space(
        load_catalogue(), target.version, target.hardware, durability=True, effects=[Effect.SESSION]
    )
    codec = LevelCodec(space)
    seen = 0
    with target.connect() as connection:
        for knob in space.knobs:
            for label in codec.labels(knob.name):
                value = codec.value(knob.name, label)
                connection.execute(
                    "SELECT set_config(%s, %s, false)", [knob.name, knob.format(value)]
                )
                shown = connection.execute(
                    "SELECT setting, vartype FROM pg_settings WHERE name = %s", [knob.name]
                ).fetchone()
                assert shown is not None
                assert parse_value(*shown) == value
                seen += 1
    assert seen > 150


def test_the_server_takes_every_level_of_the_other_knobs_into_its_configuration(target: Target):
    space = resolve_space(
        load_catalogue(),
        target.version,
        target.hardware,
        durability=True,
        effects=[Effect.RELOAD, Effect.RESTART],
    )
    codec = LevelCodec(space)
    with target.connect() as connection:
        for knob in space.knobs:
            name = sql.Identifier(knob.name)
            try:
                for label in codec.labels(knob.name):
                    text = knob.format(codec.value(knob.name, label))
                    statement = sql.SQL("ALTER SYSTEM SET {} = {}")
                    connection.execute(statement.format(name, sql.Literal(text)))
                    stored = connection.execute(
                        "SELECT setting, error FROM pg_file_settings WHERE name = %s"
                        " ORDER BY seqno DESC LIMIT 1",
                        [knob.name],
                    ).fetchone()
                    assert stored is not None
                    assert stored[0] == text
            finally:
                connection.execute(sql.SQL("ALTER SYSTEM RESET {}").format(name))
