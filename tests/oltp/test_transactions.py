"""What a trial of a transaction mix says, of mixes that go well and that do not."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from psycopg import sql

from llmtune.benchmark.fresh_copy import SUFFIX, template_copy
from llmtune.benchmark.measure_options import MeasureOptions
from llmtune.benchmark.pgbench_run import run_mix
from llmtune.benchmark.transactions import TransactionBenchmark
from llmtune.errors import ConnectionFailed, LoadError, TargetError, UsageError
from llmtune.knobs.catalogue import parse_catalogue
from llmtune.knobs.hardware import Hardware
from llmtune.knobs.space import resolve_space
from llmtune.postgres.dsn import DsnTarget
from llmtune.postgres.load import ensure_loaded
from llmtune.postgres.pgbench import find_pgbench
from llmtune.postgres.settings import SettingsApplier
from llmtune.trial import Trial, TrialStatus
from tests.postgres.live_server import address, run
from workloads.objective import P95, THROUGHPUT
from workloads.workload import DataSet, Query, Table, Transaction, TransactionMix

ONCE = MeasureOptions(warm_passes=0)
SEEN = Table("seen", "CREATE TABLE seen (client integer, place serial, value integer)", lambda: [])
COUNTER = Table("counter", "CREATE TABLE counter (value integer)", lambda: [b"1\n"])
DATA_SET = DataSet("oltp-test", "test", (SEEN, COUNTER), (), 8 << 20)
KILL_SERVER = "COPY (SELECT 1) TO PROGRAM 'kill -9 $(head -1 postmaster.pid)';"
CHOICE = """
[[knob]]
name = "{name}"
group = "wal"
kind = "{kind}"
{bounds}
effect = "{effect}"
why = "for this test"
"""
UNSTARTABLE = CHOICE.format(
    name="shared_preload_libraries",
    kind="enum",
    bounds='scale = "choice"\nchoices = ["", "no_such_library"]\ndefault = ""',
    effect="restart",
)
LYING = CHOICE.format(
    name="checkpoint_timeout",
    kind="integer",
    bounds='unit = "s"\nscale = "log"\nlow = 30\nhigh = 1000000\nlevels = 6\ndefault = 300',
    effect="reload",
)


def script(*scripts: str, objective=THROUGHPUT, clients: int = 2) -> TransactionMix:
    kinds = tuple(Transaction(f"t{n}", text) for n, text in enumerate(scripts, start=1))
    explained = (Query("q", "SELECT 1", "q"),)
    return TransactionMix("test", kinds, explained, DATA_SET, objective, clients, 1.0)


@pytest.fixture
def measure(embedded, space):
    """Measure a mix under changes from the default."""

    def run(mix, changes=None, *, options=ONCE, space=space, copies=template_copy, cap=None):
        database = ensure_loaded(embedded, mix.data_set)
        benchmark = TransactionBenchmark(embedded, space, mix, database, options, copies)
        return benchmark.measure(
            space.configuration(changes or {}), number=3, source="test", cap=cap
        )

    return run


@pytest.fixture(autouse=True)
def settings_put_back(embedded, space) -> Iterator[None]:
    applier = SettingsApplier(embedded, space)
    yield
    applier.apply(space.baseline())


def copies_left(target) -> list[str]:
    with target.connect() as connection:
        rows = connection.execute(
            "SELECT datname FROM pg_database WHERE right(datname, %s) = %s", [len(SUFFIX), SUFFIX]
        )
        return [name for (name,) in rows]


def own_space(embedded, catalogue: str):
    return resolve_space(parse_catalogue(catalogue), embedded.version, Hardware(2, 1 << 30))


def fingerprint(target, database: str) -> list[tuple]:
    """Every table's rows, checksum and bytes, and where every sequence is."""
    rows = sql.SQL(
        "SELECT {0}, count(*), sum(hashtext(t::text)), pg_relation_size({0}) FROM {1} AS t"
    )
    with target.connect(database) as connection:
        tables = connection.execute(
            "SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1"
        ).fetchall()
        found = [
            connection.execute(rows.format(sql.Literal(name), sql.Identifier(name))).fetchone()
            for (name,) in tables
        ]
        return (
            found
            + connection.execute(
                "SELECT sequencename, last_value FROM pg_sequences ORDER BY 1"
            ).fetchall()
        )


@dataclass
class Watched:
    """`template_copy` that notes what each trial's copy was at its start and at its end."""

    starts: list = field(default_factory=list)
    ends: list = field(default_factory=list)

    @contextmanager
    def __call__(self, target, database: str) -> Iterator[str]:
        with template_copy(target, database) as copy:
            self.starts.append(fingerprint(target, copy))
            yield copy
            self.ends.append(fingerprint(target, copy))


@pytest.mark.parametrize(
    ("name", "trials"),
    [
        ("tpcb", 1),
        ("ycsb-a", 1),
        ("ycsb-b", 1),
        ("ycsb-c", 1),
        ("ycsb-d", 2),
        ("ycsb-e", 1),
        ("ycsb-f", 1),
        ("smallbank", 1),
        ("tpcc", 1),
    ],
)
def test_a_mix_runs_well_and_always_from_the_same_start(measure, tiny, embedded, name, trials):
    mix, watched = tiny(name, clients=6), Watched()
    database = ensure_loaded(embedded, mix.data_set)
    loaded = fingerprint(embedded, database)
    for _ in range(trials):
        trial: Trial = measure(mix, cap=1e12, copies=watched)
        assert trial.status is TrialStatus.SUCCEEDED, trial.message
        assert trial.value > 10
        assert not trial.message or trial.message.endswith(" and 0 given up")
        assert {time.query_id for time in trial.query_times} <= {o.id for o in mix.transactions}
        assert trial.wall_s > trial.measured_s >= 1.0
    assert watched.starts == [loaded] * trials
    assert all((end == loaded) == (name == "ycsb-c") for end in watched.ends), "it only reads"
    assert fingerprint(embedded, database) == loaded
    assert copies_left(embedded) == []


def test_p95_is_in_milliseconds_and_above_the_mean(measure):
    warm = MeasureOptions(warm_passes=1)
    trial = measure(script("SELECT pg_sleep(0.02);", objective=P95), options=warm)
    assert trial.measured_s >= 2.0, "a warm run and a timed one"
    mean_ms = 1000 * trial.query_times[0].seconds
    assert 20 <= mean_ms <= trial.value


def test_throughput_counts_what_all_clients_complete(measure, embedded):
    with embedded.connect() as connection:
        connection.execute(f"CREATE DATABASE llmtune_killed{SUFFIX}")
    trial = measure(script("SELECT pg_sleep(0.05);", clients=8))
    assert 20 < trial.value <= 8 / 0.05
    assert copies_left(embedded) == [], "those of killed runs are dropped too"


def test_transactions_run_under_the_configuration(measure):
    # Fails unless every knob has the value asked for, whatever it takes to set it.
    asked = {"shared_buffers": 4096, "work_mem": 12345, "checkpoint_timeout": 777}
    checks = " ".join(
        f"SELECT 1 / (setting = '{value}')::int FROM pg_settings WHERE name = '{name}';"
        for name, value in asked.items()
    )
    trial = measure(script(checks), asked)
    assert trial.status is TrialStatus.SUCCEEDED, trial.message


def test_a_roles_own_limits_do_not_cut_a_mix_short(embedded, space):
    mix = script("BEGIN; SELECT pg_sleep(0.05); COMMIT;")
    database = ensure_loaded(embedded, mix.data_set)
    limits = ("statement_timeout", "lock_timeout", "transaction_timeout")
    limited = [f"ALTER ROLE hurried SET {name} = '10ms'" for name in limits]
    run(embedded, "CREATE ROLE hurried LOGIN SUPERUSER", *limited)
    try:
        with DsnTarget(address(embedded, "hurried"), Hardware(2, 1 << 30)) as target:
            benchmark = TransactionBenchmark(
                target, space.subset(["work_mem"]), mix, database, ONCE
            )
            trial = benchmark.measure(benchmark.space.default(), number=0, source="test")
    finally:
        run(embedded, "DROP ROLE hurried")
    assert trial.status is TrialStatus.SUCCEEDED, trial.message


def test_shares_are_kept(embedded, tiny):
    mix = tiny("ycsb-b")
    environment = embedded.libpq_environment(ensure_loaded(embedded, mix.data_set))
    with template_copy(embedded, environment["PGDATABASE"]) as copy:
        run = run_mix(find_pgbench(), mix, {**environment, "PGDATABASE": copy}, 1, 7, patience_s=30)
    reads = len(run.latencies.by_script[0]) / run.latencies.count
    assert run.latencies.count == run.summary.processed
    assert reads == pytest.approx(0.95, abs=0.03)


def test_equal_seeds_send_equal_streams(embedded):
    """However far each client comes, it asks for the same in the same order."""
    one = "\\set value random(1, 1000000)\nINSERT INTO seen VALUES (:client_id, DEFAULT, :value);"
    other = one.replace(":value)", "-:value)")
    mix = script(one, other, clients=3)
    database = ensure_loaded(embedded, mix.data_set)

    def streams(seed: int) -> list[list[int]]:
        with template_copy(embedded, database) as copy:
            environment = embedded.libpq_environment(copy)
            run = run_mix(find_pgbench(), mix, environment, 1, seed, patience_s=30)
            assert run.status is TrialStatus.SUCCEEDED, run.message
            with embedded.connect(copy) as connection:
                return [
                    row[0]
                    for row in connection.execute(
                        "SELECT array_agg(value ORDER BY place) FROM seen"
                        " GROUP BY client ORDER BY client"
                    )
                ]

    first, again = streams(5), streams(5)
    assert len(first) == len(again) == 3
    for left, right in zip(first, again, strict=True):
        shared = min(len(left), len(right))
        assert shared > 10
        assert left[:shared] == right[:shared]
    assert first[0][:10] != first[1][:10], "each client asks for something else"
    assert {value > 0 for value in first[0]} == {True, False}, "both scripts take part"


def test_more_clients_than_the_server_lets_in_are_refused(embedded, space):
    with pytest.raises(UsageError, match=r"98 clients, but .* leaves room for [0-9]{2};"):
        TransactionBenchmark(embedded, space, script("SELECT 1;", clients=98), "postgres")


@pytest.fixture
def crowded(embedded):
    """The server, of whose 100 places 43 are reserved and 20 taken."""
    with embedded.connect() as control:
        control.execute("ALTER SYSTEM SET reserved_connections = 40")
    embedded.restart()
    with ExitStack() as stack:
        for _ in range(20):
            stack.enter_context(embedded.connect())
        yield embedded
    embedded.recover()


def test_places_that_are_reserved_or_taken_are_not_the_clients(crowded, space):
    with pytest.raises(UsageError, match=r"35 clients, but beside 2\d open sessions"):
        TransactionBenchmark(crowded, space, script("SELECT 1;", clients=35), "postgres")
    mix = script("SELECT 1;", clients=30)
    assert TransactionBenchmark(crowded, space, mix, "postgres").mix == mix


def test_a_disk_without_room_for_a_copy_is_said_before_the_first_trial(embedded, space):
    class Full:
        """The embedded server, as if its data lay where nothing is free."""

        data_folder = Path("/proc")

        def __getattr__(self, name):
            return getattr(embedded, name)

    with pytest.raises(LoadError, match=r"a copy of postgres, .* but /proc has 0B free"):
        TransactionBenchmark(Full(), space, script("SELECT 1;"), "postgres")


def test_a_server_that_does_not_start_is_crashed(measure, embedded):
    space = own_space(embedded, UNSTARTABLE)
    trial = measure(
        script("SELECT 1;"), {"shared_preload_libraries": "no_such_library"}, space=space
    )
    assert (trial.status, trial.value) == (TrialStatus.CRASHED, None)
    assert "no_such_library" in trial.message
    assert measure(script("SELECT 1;")).status is TrialStatus.SUCCEEDED


def test_a_value_that_reads_back_differently_is_rejected(measure, embedded):
    space = own_space(embedded, LYING)
    trial = measure(script("SELECT 1;"), {"checkpoint_timeout": 1_000_000}, space=space)
    assert trial.status is TrialStatus.REJECTED
    assert "checkpoint_timeout" in trial.message


def test_a_server_that_dies_is_crashed_and_comes_back(measure, embedded):
    trial = measure(script(KILL_SERVER))
    assert (trial.status, trial.value) == (TrialStatus.CRASHED, None)
    assert copies_left(embedded) == []
    assert measure(script("SELECT 1;")).status is TrialStatus.SUCCEEDED


def test_an_error_in_a_script_fails_the_trial_with_the_servers_words(measure, embedded):
    trial = measure(script("SELECT 1;", "SELECT nothing FROM seen;"))
    assert (trial.status, trial.value, trial.query_times) == (TrialStatus.FAILED, None, ())
    assert 'transaction t2: ERROR:  column "nothing" does not exist' in trial.message
    assert copies_left(embedded) == []


def test_a_script_that_pgbench_cannot_read_fails_the_trial(measure):
    trial = measure(script("\\nonsense\n"))
    assert trial.status is TrialStatus.FAILED
    assert "nonsense" in trial.message


def test_transactions_that_do_not_end_are_stopped(measure, embedded):
    trial = measure(script("SELECT pg_sleep(60);"), options=MeasureOptions(0.5, warm_passes=0))
    assert trial.status is TrialStatus.TIMED_OUT
    assert "0.5 s" in trial.message
    assert copies_left(embedded) == []


def test_transactions_in_conflict_are_repeated_and_told(measure):
    trial = measure(
        script(
            "BEGIN ISOLATION LEVEL REPEATABLE READ;\nSELECT pg_sleep(0.01) FROM counter;\n"
            "UPDATE counter SET value = value + 1;\nCOMMIT;"
        )
    )
    assert trial.status is TrialStatus.SUCCEEDED, trial.message
    assert "were repeated" in trial.message


def test_a_database_that_cannot_be_copied_is_named(embedded):
    with (
        pytest.raises(TargetError, match="cannot copy the database llmtune_missing") as caught,
        template_copy(embedded, "llmtune_missing"),
    ):
        pass
    assert not isinstance(caught.value, ConnectionFailed)
