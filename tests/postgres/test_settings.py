"""Applying configurations to a real server, and what happens when that fails."""

from __future__ import annotations

from collections.abc import Iterator

import psutil
import pytest

from llmtune.errors import InvalidConfiguration, ReadBackMismatch, ServerDidNotStart
from llmtune.knobs.catalogue import check, load_catalogue, parse_catalogue
from llmtune.knobs.configuration import Value
from llmtune.knobs.hardware import Hardware
from llmtune.knobs.knob import Effect
from llmtune.knobs.space import KnobSpace, resolve_space
from llmtune.postgres.embedded import EmbeddedTarget
from llmtune.postgres.server_settings import parse_value, same_value, setting_text, settings_rows
from llmtune.postgres.settings import SettingsApplier

GIB = 1 << 30
ENORMOUS = Hardware(cores=2, memory=1 << 50)
LYING = """
[[knob]]
name = "checkpoint_timeout"
group = "wal"
kind = "integer"
unit = "s"
scale = "log"
low = 30
high = 1000000
levels = 6
default = 300
effect = "reload"
why = "the server allows a day at most"

[[knob]]
name = "wal_buffers"
group = "wal"
kind = "integer"
unit = "8kB"
scale = "log"
low = 65536
high = 10485760
levels = 6
specials = [-1]
default = -1
effect = "restart"
why = "the server computes a value for -1, which is not said here"
"""
UNSTARTABLE = """
[[knob]]
name = "shared_preload_libraries"
group = "memory"
kind = "enum"
scale = "choice"
choices = ["", "no_such_library"]
default = ""
effect = "restart"
why = "no library, or one that the server cannot start with"
"""


@pytest.fixture
def space(embedded: EmbeddedTarget) -> KnobSpace:
    # The bounds for a small machine: extremes are tried, and tests run beside others.
    hardware = Hardware(cores=2, memory=GIB)
    return resolve_space(load_catalogue(), embedded.version, hardware)


@pytest.fixture
def applier(embedded: EmbeddedTarget, space: KnobSpace) -> Iterator[SettingsApplier]:
    applier = SettingsApplier(embedded, space)
    yield applier
    applier.apply(space.baseline())
    assert altered(embedded) == []


def altered(target: EmbeddedTarget) -> list[str]:
    lines = (target.data_folder / "postgresql.auto.conf").read_text().splitlines()
    return [line for line in lines if not line.startswith("#")]


def started_at(target: EmbeddedTarget) -> object:
    with target.connect() as connection:
        return connection.execute("SELECT pg_postmaster_start_time()").fetchone()


def show(target: EmbeddedTarget, name: str, session: dict[str, str] | None = None) -> str:
    with target.connect(settings=session) as connection:
        row = connection.execute("SELECT current_setting(%s)", [name]).fetchone()
    assert row is not None
    return str(row[0])


def test_the_catalogue_describes_the_server(embedded: EmbeddedTarget) -> None:
    with embedded.connect() as connection:
        rows = settings_rows(connection)
    check(load_catalogue(), embedded.version, rows)
    assert len(rows) > 300


def test_the_default_configuration_changes_nothing(
    embedded: EmbeddedTarget, space: KnobSpace, applier: SettingsApplier
) -> None:
    before = started_at(embedded)
    applied = applier.apply(space.default())
    default = space.default()
    session = [knob.name for knob in space.knobs if knob.effect is Effect.SESSION]
    assert applied.session == {name: setting_text(default[name]) for name in session}
    assert not applied.restarted
    assert started_at(embedded) == before
    assert altered(embedded) == []


def test_session_knobs_go_to_connections_only(
    embedded: EmbeddedTarget, space: KnobSpace, applier: SettingsApplier
) -> None:
    changes: dict[str, Value] = {"work_mem": 16384, "jit": False, "random_page_cost": 1.5}
    applied = applier.apply(space.configuration(changes))
    asked = {"work_mem": "16384", "jit": "off", "random_page_cost": "1.5"}
    assert applied.session.items() >= asked.items()
    assert applied.session["cpu_tuple_cost"] == "0.01", "what does not change is set too"
    assert not applied.restarted
    assert show(embedded, "work_mem", applied.session) == "16MB"
    assert show(embedded, "work_mem") == "4MB"
    assert altered(embedded) == []


def test_reload_knobs_need_no_restart(
    embedded: EmbeddedTarget, space: KnobSpace, applier: SettingsApplier
) -> None:
    before = started_at(embedded)
    applied = applier.apply(space.configuration({"checkpoint_timeout": 900}))
    assert not applied.restarted
    assert started_at(embedded) == before
    assert show(embedded, "checkpoint_timeout") == "15min"
    assert altered(embedded) == ["checkpoint_timeout = '900'"]
    applier.apply(space.default())
    assert show(embedded, "checkpoint_timeout") == "5min"


def test_restart_knobs_restart_only_when_they_change(
    embedded: EmbeddedTarget, space: KnobSpace, applier: SettingsApplier
) -> None:
    first = space.configuration({"shared_buffers": 8192, "work_mem": 8192})
    second = space.configuration({"shared_buffers": 8192, "checkpoint_timeout": 600})
    assert [applier.apply(each).restarted for each in (first, first, second)] == [
        True,
        False,
        False,
    ]
    assert show(embedded, "shared_buffers") == "64MB"
    applier.apply(space.baseline())
    assert show(embedded, "shared_buffers") == "128MB"


@pytest.mark.parametrize("position", [0.0, 0.35, 1.0])
def test_every_knob_reads_back(space: KnobSpace, applier: SettingsApplier, position: float) -> None:
    changes = {knob.name: knob.at(position) for knob in space.knobs}
    assert applier.apply(space.configuration(changes)).restarted


def test_a_computed_special_value_is_taken_for_granted(
    embedded: EmbeddedTarget, space: KnobSpace, applier: SettingsApplier
) -> None:
    applier.apply(space.configuration({"wal_buffers": 64}))
    assert show(embedded, "wal_buffers") == "512kB"
    assert applier.apply(space.default()).restarted
    assert show(embedded, "wal_buffers") == "4MB"


def test_a_configuration_that_does_not_start_leaves_the_server_up(
    embedded: EmbeddedTarget,
) -> None:
    space = resolve_space(parse_catalogue(UNSTARTABLE), embedded.version, embedded.hardware)
    applier = SettingsApplier(embedded, space)
    with pytest.raises(ServerDidNotStart, match="no_such_library"):
        applier.apply(space.configuration({"shared_preload_libraries": "no_such_library"}))
    assert show(embedded, "shared_preload_libraries") == ""
    assert altered(embedded) == []
    assert not applier.apply(space.default()).restarted


def test_a_server_that_died_in_between_is_no_special_case(
    embedded: EmbeddedTarget, space: KnobSpace, applier: SettingsApplier
) -> None:
    configuration = space.configuration({"shared_buffers": 8192, "checkpoint_timeout": 600})
    applier.apply(configuration)
    pid_file = embedded.data_folder / "postmaster.pid"
    psutil.Process(int(pid_file.read_text().split()[0])).kill()
    embedded.recover()
    assert show(embedded, "shared_buffers") == "128MB"
    assert applier.apply(configuration).restarted
    assert show(embedded, "checkpoint_timeout") == "10min"


def test_what_the_server_refuses_is_named(embedded: EmbeddedTarget) -> None:
    space = resolve_space(parse_catalogue(LYING), embedded.version, ENORMOUS)
    applier = SettingsApplier(embedded, space)
    with pytest.raises(ReadBackMismatch, match="refuses checkpoint_timeout = 1000000"):
        applier.apply(space.configuration({"checkpoint_timeout": 1_000_000}))
    assert altered(embedded) == []


def test_what_reads_back_differently_is_named(embedded: EmbeddedTarget) -> None:
    space = resolve_space(parse_catalogue(LYING), embedded.version, ENORMOUS)
    with pytest.raises(ReadBackMismatch, match="wal_buffers is 512, not -1"):
        SettingsApplier(embedded, space).apply(space.default())


def test_an_invalid_configuration_touches_nothing(
    embedded: EmbeddedTarget, space: KnobSpace, applier: SettingsApplier
) -> None:
    other = space.subset(["work_mem"]).default()
    with pytest.raises(InvalidConfiguration, match="lacks"):
        applier.apply(other)
    assert altered(embedded) == []


def test_a_space_of_session_knobs_never_alters_the_server(embedded: EmbeddedTarget) -> None:
    space = resolve_space(
        load_catalogue(), embedded.version, embedded.hardware, effects=[Effect.SESSION]
    )
    changes = {knob.name: knob.at(0.7) for knob in space.knobs}
    applied = SettingsApplier(embedded, space).apply(space.configuration(changes))
    assert set(applied.session) == set(space.names)
    assert altered(embedded) == []


@pytest.mark.parametrize(
    ("value", "text", "vartype"),
    [
        (True, "on", "bool"),
        (False, "off", "bool"),
        (-1, "-1", "integer"),
        (0.0025, "0.0025", "real"),
        (1e-05, "1e-05", "real"),
        ("lz4", "lz4", "enum"),
    ],
)
def test_values_survive_their_texts(value: Value, text: str, vartype: str) -> None:
    assert setting_text(value) == text
    assert parse_value(text, vartype) == value


def test_values_that_the_server_would_treat_alike_are_the_same() -> None:
    assert same_value(0.1234567, 0.123457)
    assert same_value("LZ4", "lz4")
    assert not same_value(0.1, 0.1001)
