"""The rules of a warm start are those for the workload and the storage at hand."""

import os
from pathlib import Path
from types import SimpleNamespace

import pytest

from llmtune.benchmark.observe import MEAN_TIME, ObservedWorkload
from llmtune.cli.bench import Bench
from llmtune.cli.progress import Reporter
from llmtune.cli.storage_notice import UNSEEN, warn_of_storage
from llmtune.cli.targets import storage_of
from llmtune.knobs.catalogue import load_catalogue
from llmtune.knobs.hardware import Hardware
from llmtune.knobs.space import resolve_space
from llmtune.knobs.storage import Storage
from llmtune.model.proposals import proposals
from llmtune.model.warm_start import Part, WarmStart
from llmtune.postgres.profile import Profile
from llmtune.tuning.guards import ServerFacts
from llmtune.tuning.origin import origin_of
from llmtune.tuning.reopen import requests_of
from llmtune.tuning.requests import TargetRequest, WorkloadRequest
from llmtune.tuning.store import SessionStore
from optimizers.warm_start import Proposal
from workloads.options import WorkloadOptions
from workloads.registry import workload
from workloads.workload import AnyWorkload, ExistingDatabase, Query, Workload

KNOBS = ("random_page_cost", "max_wal_size")
SPACE = resolve_space(load_catalogue(), 18, Hardware(2, 4 << 30), names=KNOBS)
SHOP = ExistingDatabase(database="shop")
QUERIES = Workload("queries", (Query("q", "SELECT 1", "q"),), SHOP)
TRAFFIC = ObservedWorkload("traffic", (), SHOP, MEAN_TIME)
TRANSACTIONS = workload("tpcb", WorkloadOptions(scale=0.01))


def bench(wanted: AnyWorkload, kind: str, storage: Storage | None = None) -> Bench:
    """A bench that no server is behind."""
    profile = Profile(kind, SPACE.hardware, SPACE.version, 1, (), ())
    return Bench(None, SPACE, SPACE, wanted, "shop", profile, ServerFacts(), storage=storage)


def rules_for(stage: Bench) -> Proposal:
    ((rules,), _) = proposals(warm("rules"), stage, 0, str)
    return rules


def warm(*sources: str) -> WarmStart:
    return WarmStart(",".join(sources), tuple(map(Part, sources)))


@pytest.mark.parametrize(
    ("wanted", "kind", "max_wal_size"),
    [
        (QUERIES, "analytic", 1024),
        (QUERIES, "mixed", 4096),
        (TRAFFIC, "analytic", 4096),
        (TRANSACTIONS, "mixed", 8192),
        (TRANSACTIONS, "analytic", 8192),
    ],
    ids=["reads", "writes", "traffic", "transactions", "transactions that read"],
)
def test_the_workload_tells_its_type(wanted: AnyWorkload, kind: str, max_wal_size: int) -> None:
    assert rules_for(bench(wanted, kind)).configuration["max_wal_size"] == max_wal_size


@pytest.mark.parametrize(("storage", "cost"), [(None, 1.1), (Storage.SSD, 1.1), (Storage.HDD, 4.0)])
def test_storage_that_is_not_known_is_taken_for_ssd(storage: Storage | None, cost: float) -> None:
    found = rules_for(bench(QUERIES, "analytic", storage))
    assert (found.source, found.configuration["random_page_cost"]) == ("rules", cost)


@pytest.mark.parametrize(
    ("sources", "storage", "told"),
    [
        (("rules",), None, True),
        (("model",), None, True),
        (("nearest", "rules"), None, True),
        (("model", "nearest"), None, False),
        (("none",), None, False),
        (("rules",), Storage.SSD, False),
    ],
)
def test_what_is_taken_for_granted_is_told(sources, storage, told, capsys) -> None:
    warm_starts = [warm("none"), warm(*sources)]
    warn_of_storage(warm_starts, bench(QUERIES, "analytic", storage), Reporter())
    assert capsys.readouterr().err == (f"{UNSEEN}\n" if told else "")


def test_the_disk_below_a_servers_data_is_asked_unless_the_user_says_it(tmp_path: Path) -> None:
    number = tmp_path.stat().st_dev
    queue = tmp_path / "sys/dev/block" / f"{os.major(number)}:{os.minor(number)}" / "queue"
    queue.mkdir(parents=True)
    (queue / "rotational").write_text("1\n")
    asked, said = TargetRequest("embedded"), TargetRequest("embedded", storage=Storage.SAN)
    here, elsewhere = SimpleNamespace(data_folder=tmp_path), SimpleNamespace(data_folder=None)
    assert storage_of(asked, here, tmp_path) is Storage.HDD
    assert storage_of(said, here, tmp_path) is Storage.SAN
    assert storage_of(asked, elsewhere, tmp_path) is None
    assert storage_of(asked, SimpleNamespace(), tmp_path) is None, "a container tells no folder"


def test_what_the_user_says_reaches_the_rules_and_stays_with_the_session(
    run, stored, tmp_path
) -> None:
    call = ("tune", "--scale", "0.01", "--warm-start", "rules", "--trials", "1")
    kept = ("--out", tmp_path / "out", "--store", stored)
    session = run(*call, *kept, "--storage", "hdd", "--json").json["session"]
    record = SessionStore(stored).summary(session).record
    (rules,) = record.proposals
    assert rules.configuration["random_page_cost"] == 4.0
    assert requests_of(record)[0].storage is Storage.HDD


def test_where_nothing_is_said_a_session_is_asked_for_in_the_words_of_old() -> None:
    request = WorkloadRequest("tpch", WorkloadOptions())
    assert "storage" not in origin_of(TargetRequest("embedded"), request).to_json()


def test_a_recorded_benchmark_has_no_storage(run, tmp_path) -> None:
    done = run("compare", "--recorded", "tpch", "--storage", "hdd", "--out", tmp_path)
    assert done.exit_code == 2
    assert "leave out --storage: a recorded benchmark asks no server" in done.message
