import json
import stat
from dataclasses import replace

import pytest
from sqlalchemy import create_engine, text

from llmtune.errors import SessionError, UsageError
from llmtune.postgres.originals import Original, Originals, ServerIdentity
from llmtune.secrets import SECRETS, redacted
from llmtune.trial import Pace, QueryTime, Trial, TrialStatus
from llmtune.tuning.record import JournalEntry, Phase, SessionStatus
from llmtune.tuning.restore_points import RestorePoints
from llmtune.tuning.store import SessionStore


@pytest.fixture
def url(tmp_path):
    return f"sqlite:///{tmp_path / 'deep' / 'sessions.db'}"


def entry(space, number=0):
    trial = Trial(
        number,
        "tpe",
        space.configuration({"work_mem": 65536, "jit": False, "random_page_cost": 1.1}),
        TrialStatus.SUCCEEDED,
        1.5,
        (QueryTime("q1", 0.5), QueryTime("q2", 1.0)),
        wall_s=4.0,
        measured_s=3.0,
        message="ü",
        pace=Pace(0.003, 0.002),
    )
    return JournalEntry(Phase.SEARCH, trial, ask_s=0.25, restart_s=0.5)


def test_a_session_and_its_trials_survive_the_process(url, space, make_record):
    record = make_record(trials=3)
    store = SessionStore(url)
    store.create(record)
    store.append(record.id, entry(space))
    store.close()
    later = SessionStore(url)
    assert later.summary(record.id).record == record
    assert later.journal(record.id) == (entry(space),)
    assert [s.trials for s in later.sessions()] == [1]


def test_a_configuration_keeps_the_types_of_its_values(store, space, make_record):
    record = make_record(trials=3)
    store.create(record)
    store.append(record.id, entry(space))
    stored = store.journal(record.id)[0].trial.configuration
    space.validate(stored)
    assert (stored["jit"], stored["work_mem"], stored["random_page_cost"]) == (False, 65536, 1.1)


def test_a_number_is_journalled_once(store, space, make_record):
    record = make_record(trials=3)
    store.create(record)
    store.append(record.id, entry(space))
    with pytest.raises(SessionError, match="another process"):
        store.append(record.id, entry(space))


def test_an_unknown_session_is_named(store):
    with pytest.raises(SessionError, match="no session 'nosuch'"):
        store.summary("nosuch")
    with pytest.raises(SessionError, match="no session 'nosuch'"):
        store.journal("nosuch")


def test_the_first_letters_of_an_id_are_enough_where_no_other_begins_so(store, make_record):
    first, second, short = (
        replace(make_record(trials=3), id=name) for name in ("ab12", "ab34", "c%")
    )
    for record in (first, second, short, replace(short, id="c%d")):
        store.create(record)
    assert store.summary("ab1").record == first
    assert store.summary("c%").record == short
    with pytest.raises(SessionError, match=r"'ab' begins 2 ids .*: ab12, ab34;"):
        store.summary("ab")
    for nobody in ("", "b", "_b"):
        with pytest.raises(SessionError, match=f"no session '{nobody}'"):
            store.summary(nobody)


def test_a_mark_keeps_its_message(store, make_record):
    record = make_record(trials=3)
    store.create(record)
    store.mark(record.id, SessionStatus.INTERRUPTED, "Ctrl-C")
    summary = store.summary(record.id)
    assert (summary.status, summary.message) == (SessionStatus.INTERRUPTED, "Ctrl-C")


def test_a_store_of_version_1_is_brought_up_to_date(url, make_record):
    record = make_record(trials=3)
    store = SessionStore(url)
    store.create(record)
    store.close()
    with create_engine(url).begin() as connection:
        connection.execute(text("DROP TABLE touched_setting"))
        connection.execute(text("DROP TABLE restore_point"))
        for name in ("probe_s", "reference_s"):
            connection.execute(text(f"ALTER TABLE trial DROP COLUMN {name}"))
        connection.execute(text("UPDATE store_meta SET schema_version = 1"))
    later = SessionStore(url)
    assert later.summary(record.id).record == record
    assert later.journal(record.id) == ()
    assert RestorePoints(later).points() == ()


def test_restore_points_of_a_file_with_more_columns_are_read_and_written(url):
    """Earlier versions also kept where each value came from, and lines of the server's file."""
    server, settings = ServerIdentity("7", "postgresql://me@db/x"), {"jit": Original(True, None)}
    store = SessionStore(url)
    RestorePoints(store).keep("night", Originals(server, settings))
    store.close()
    earlier = {"value": True, "altered": None, "unit": None, "source": "default", "restart": False}
    with create_engine(url).begin() as connection:
        connection.execute(text("ALTER TABLE restore_point ADD COLUMN auto_conf TEXT"))
        connection.execute(text("UPDATE restore_point SET auto_conf = 'jit = off'"))
        change = text("UPDATE touched_setting SET original = :stored")
        connection.execute(change, {"stored": json.dumps(earlier)})
    points = RestorePoints(SessionStore(url))
    assert points.point("night").touched["jit"].original == settings["jit"]
    points.intend("night", {"jit": ["off"]})
    points.keep("day", Originals(server, settings))
    assert {one.id for one in points.due(server)} == {"night", "day"}


def test_store_and_folder_are_their_owners_alone(url, tmp_path, caplog):
    SessionStore(url).close()
    path = tmp_path / "deep" / "sessions.db"
    modes = [stat.S_IMODE(one.stat().st_mode) for one in (path.parent, path)]
    assert modes == [0o700, 0o600]
    path.chmod(0o644)
    SessionStore(url).close()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert "could be read by others" in caplog.text


def test_a_store_of_another_schema_is_refused(url):
    SessionStore(url).close()
    with create_engine(url).begin() as connection:
        connection.execute(text("UPDATE store_meta SET schema_version = 99"))
    with pytest.raises(SessionError, match="schema 99"):
        SessionStore(url)


def test_a_damaged_store_is_a_clear_error(tmp_path):
    path = tmp_path / "sessions.db"
    path.write_bytes(b"this is not a database, only some words in a row" * 100)
    with pytest.raises(SessionError, match="cannot be used"):
        SessionStore(f"sqlite:///{path}")


def test_a_folder_that_cannot_be_made_is_a_clear_error(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(SessionError, match="folder"):
        SessionStore(f"sqlite:///{tmp_path / 'file' / 'sessions.db'}")


@pytest.mark.parametrize("url", ["nonsense", "nosuchdb://host/x"])
def test_a_url_that_is_none_is_the_users_mistake(url):
    with pytest.raises(UsageError, match="database URL"):
        SessionStore(url)


@pytest.mark.parametrize(
    ("target", "stored"),
    [
        ("postgresql://me:secret@db:5432/shop", "postgresql://me@db:5432/shop"),
        ("postgresql://me:s:e@cret@db/shop", "postgresql://me@db/shop"),
        (
            "postgresql://db/shop?user=me&password=secret&a=b",
            "postgresql://db/shop?user=me&password=***&a=b",
        ),
        ("host=db password=secret user=me", "host=db password=*** user=me"),
        ("host=db password='se cret' user=me", "host=db password=*** user=me"),
        ("host=db password='se cret user=me", "host=db password=***"),
        (r"host=db password = s\ e\'cret user=me", "host=db password=*** user=me"),
        ("host=db password=s&e*cret user=me", "host=db password=*** user=me"),
        ("host=db PASSWORD=*cret", "host=db PASSWORD=***"),
        ("host=db sslpassword=cret sslkey=a", "host=db sslpassword=*** sslkey=a"),
        ("postgresql://db/shop?sslpassword=cret&a=b", "postgresql://db/shop?sslpassword=***&a=b"),
        ("host=db scram_client_key=cret=", "host=db scram_client_key=***"),
        ("postgresql://me:s/e@cret@db/shop", "postgresql://me@db/shop"),
        ("mysql+pymysql://me:1/s#cret@db:3306/shop?a=b", "mysql+pymysql://me@db:3306/shop?a=b"),
        ("postgresql://me:s/e?cret@db/shop", "postgresql://me@db/shop"),
    ],
)
def test_no_password_is_stored(target, stored, store, make_record):
    assert redacted(target) == stored
    record = replace(make_record(trials=3), target=target)
    store.create(record)
    assert "cret" not in str(store.summary(record.id))


@pytest.mark.parametrize("name", sorted(SECRETS))
def test_each_of_libpqs_secrets_is_one(name):
    assert redacted(f"host=db {name}=cret") == f"host=db {name}=***"
    assert redacted(f"postgresql://db/shop?{name}=cret") == f"postgresql://db/shop?{name}=***"


@pytest.mark.parametrize(
    "target",
    [
        "embedded",
        "host=db passfile=/etc/pass user=password",
        "postgresql://db:5432/shop?user=me@b",
        "postgresql://a:5432,b:5433/?user=me@b",
        "postgresql://[::1]:5432/shop?user=me@b",
    ],
)
def test_what_is_no_secret_is_stored(target):
    assert redacted(target) == target
