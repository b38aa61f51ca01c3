"""What can be changed on a server, decided without one."""

from __future__ import annotations

import pytest

from llmtune.knobs.catalogue import load_catalogue
from llmtune.knobs.configuration import Value
from llmtune.knobs.hardware import Hardware
from llmtune.knobs.space import resolve_space
from llmtune.postgres.live.leeway import Leeway
from llmtune.postgres.live.present import Override, PresentSetting
from llmtune.postgres.live.provider import PROVIDERS, recognise
from llmtune.postgres.live.reach import ChangesFor, KnobReach, Means, reach
from llmtune.postgres.live.rights import Rights

SPACE = resolve_space(load_catalogue(), 18, Hardware(2, 1 << 30))
EVERY = frozenset(SPACE.names)
DBA = Rights("dba", True, True, True, True, True, alters=EVERY, sets=EVERY)
PLAIN = Rights("app", False, False, False, False, False)
TUNER = Rights("tuner", False, True, True, True, False, alters=EVERY)
BLIND = Rights("tuner", False, False, True, True, False, alters=EVERY)
RDS = PROVIDERS[0]


def setting(
    name: str,
    value: Value | None = None,
    context: str = "user",
    source: str = "default",
    *,
    pending: bool = False,
) -> PresentSetting:
    given = SPACE[name].default if value is None else value
    return PresentSetting(name, given, SPACE[name].unit, context, source, None, None, pending)


def of(name: str, means: Means, **changed: object) -> KnobReach:
    return reach(SPACE[name], setting(name, **changed), means)  # type: ignore[arg-type]


def test_a_superuser_without_restarts_reaches_all_but_restart_knobs() -> None:
    left = [n for n in SPACE.names if not of(n, Means(18, DBA)).reachable]
    assert left == [k.name for k in SPACE.knobs if k.effect == "restart"]
    assert all(of(name, Means(18, DBA, restarts=True)).reachable for name in SPACE.names)


def test_of_a_server_that_others_follow_only_what_they_need_as_much_of_is_left_out() -> None:
    means = Means(18, DBA, followed=True, restarts=True)
    left = [n for n in SPACE.names if not of(n, means).reachable]
    assert left == ["max_worker_processes"]


def test_a_plain_role_reaches_what_a_session_may_set() -> None:
    reached = [n for n in SPACE.names if of(n, Means(18, PLAIN)).reachable]
    assert reached == [k.name for k in SPACE.knobs if k.effect == "session"]


@pytest.mark.parametrize("rights", [DBA, PLAIN])
def test_to_suggest_a_change_takes_no_way_to_make_it(rights: Rights) -> None:
    means = Means(18, rights, provider=RDS, changes_for=ChangesFor.NOBODY)
    assert all(of(name, means).reachable for name in SPACE.names)
    lacking = Means(
        18, rights, changes_for=ChangesFor.NOBODY, differences={"work_mem": "another unit"}
    )
    assert "left alone" in of("work_mem", lacking).obstacle


@pytest.mark.parametrize(
    ("name", "means", "changed", "says"),
    [
        ("max_wal_size", Means(18, PLAIN), {}, "GRANT ALTER SYSTEM ON PARAMETER max_wal_size"),
        ("max_wal_size", Means(14, PLAIN), {}, "takes a superuser before PostgreSQL 15"),
        ("max_wal_size", Means(18, PLAIN, provider=RDS), {}, "DB parameter group"),
        ("max_wal_size", Means(18, TUNER), {"source": "command line"}, "command line"),
        ("maintenance_work_mem", Means(18, TUNER), {"source": "user"}, "ALTER ROLE"),
        ("maintenance_work_mem", Means(18, TUNER), {"source": "database"}, "ALTER DATABASE"),
        ("maintenance_work_mem", Means(18, TUNER), {"source": "client"}, "PGOPTIONS"),
        ("shared_buffers", Means(18, TUNER), {}, "`llmtune tune --allow-restart`"),
        ("shared_buffers", Means(18, TUNER, restarts=True), {"pending": True}, "waits"),
        ("shared_buffers", Means(18, DBA, restarts=True, waiting=["port"]), {}, "one (port)"),
        ("max_wal_size", Means(18, BLIND), {"source": "configuration file"}, "read_all_settings"),
        ("max_worker_processes", Means(18, DBA, True, restarts=True), {}, "primary"),
        ("max_worker_processes", Means(18, DBA, followed=True, restarts=True), {}, "replaying"),
        ("wal_compression", Means(18, DBA), {"value": "lz4"}, "left alone"),
        ("jit", Means(18, DBA, differences={"jit": "default off"}), {}, "alone: default off"),
        ("work_mem", Means(18, DBA, leeways={"work_mem": Leeway(None, 64, "64kB")}), {}, "64kB"),
        ("work_mem", Means(18, PLAIN), {"context": "superuser"}, "GRANT SET ON PARAMETER"),
    ],
)
def test_what_is_in_the_way_is_named(
    name: str, means: Means, changed: dict[str, object], says: str
) -> None:
    found = of(name, means, **changed)
    assert not found.reachable
    assert says in found.obstacle


def test_a_live_server_is_never_run_without_fsync() -> None:
    """Data written without it are not safe for being set back."""
    risky = resolve_space(load_catalogue(), 18, Hardware(2, 1 << 30), durability=True)
    on = PresentSetting("fsync", True, None, "sighup", "default", None, None, False)
    assert "synced" in reach(risky["fsync"], on, Means(18, DBA)).obstacle


def test_a_knob_that_the_server_lacks_is_left_out() -> None:
    found = reach(SPACE["io_method"], None, Means(18, DBA, restarts=True))
    assert "does not have it" in found.obstacle
    assert found.lasting_obstacle == found.obstacle


def test_alter_system_may_be_switched_off() -> None:
    closed = Rights("dba", True, True, True, True, True, system_open=False, alters=EVERY)
    assert "allow_alter_system" in of("max_wal_size", Means(18, closed)).obstacle
    assert of("work_mem", Means(18, closed)).reachable


def test_without_the_right_to_reload_the_grant_is_named() -> None:
    mute = Rights("tuner", False, True, True, False, False, alters=EVERY)
    assert of("max_wal_size", Means(18, mute)).obstacle == (
        'GRANT EXECUTE ON FUNCTION pg_reload_conf() TO "tuner"'
    )


def test_a_role_setting_does_not_keep_a_session_from_setting_its_own() -> None:
    assert of("work_mem", Means(18, PLAIN), source="user").reachable


@pytest.mark.parametrize(
    ("settings", "roles", "name"),
    [
        (["rds.extensions", "work_mem"], [], "Amazon RDS or Aurora"),
        (["alloydb.x", "cloudsql.y"], [], "Google AlloyDB"),
        (["cloudsql.logical_decoding"], [], "Google Cloud SQL"),
        (["azure.extensions"], [], "Azure Database"),
        ([], ["neon_superuser"], "Neon"),
        ([], ["supabase_admin"], "Supabase"),
        ([], ["doadmin"], "DigitalOcean"),
    ],
)
def test_a_managed_service_is_recognised(settings: list[str], roles: list[str], name: str) -> None:
    found = recognise(settings, roles)
    assert found is not None
    assert found.name == name


def test_a_server_of_ones_own_is_no_service() -> None:
    assert recognise(["work_mem", "plpgsql.extra_errors"], ["postgres", "app"]) is None


@pytest.mark.parametrize(
    ("role", "database", "statement"),
    [
        ("App", None, "ALTER ROLE \"App\" SET work_mem = '1MB'"),
        (None, "shop", "ALTER DATABASE \"shop\" SET work_mem = '1MB'"),
        ("app", "shop", 'ALTER ROLE "app" IN DATABASE "shop" SET work_mem = \'1MB\''),
        (None, None, "ALTER ROLE ALL SET work_mem = '1MB'"),
    ],
)
def test_an_override_is_told_as_it_was_made(
    role: str | None, database: str | None, statement: str
) -> None:
    override = Override("work_mem", "1MB", role, database, applies=True)
    assert override.statement == statement
    assert override.mend == statement.partition(" SET ")[0] + " RESET work_mem"
