"""Queries that only a server can tell are found again by the session that measured them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from llmtune.cli.bench import Bench
from llmtune.cli.kept_queries import kept_bench
from llmtune.knobs.catalogue import load_catalogue
from llmtune.knobs.hardware import Hardware
from llmtune.knobs.space import resolve_space
from llmtune.tuning.guards import ServerFacts
from llmtune.tuning.requests import WorkloadRequest
from workloads.digest import named
from workloads.options import WorkloadOptions
from workloads.registry import workload
from workloads.workload import ExistingDatabase, Query, Workload

SPACE = resolve_space(load_catalogue(), 18, Hardware(2, 4 << 30), names=("work_mem",))
ASKED = WorkloadRequest("captured", WorkloadOptions(seed=0))
FIRST = Query("s1.1", "/* shop */ SELECT 1 -- daily", "s1")
SECOND = Query("s2.1", "SELECT 2", "s2")


def opened(*queries: Query) -> Bench:
    """A bench with what a server told of its statements; nothing is measured with it."""
    told = Workload(named("captured", queries), queries, ExistingDatabase(database="shop"))
    return Bench(None, SPACE, SPACE, told, "shop", None, ServerFacts())


def kept(bench: Bench, out: Path) -> tuple[WorkloadRequest, Workload]:
    request, found = kept_bench(ASKED, out, bench, alone=True)
    return request, found.workload


def test_a_later_session_leaves_an_earlier_one_its_queries(tmp_path) -> None:
    sessions = [
        kept(opened(replace(FIRST, weight=weight), SECOND), tmp_path) for weight in (1.0, 3.0)
    ]
    assert [measured.queries[0].weight for _, measured in sessions] == [1.0, 3.0]
    for request, measured in sessions:
        assert workload(request.name, request.options) == measured


def test_so_does_one_that_lost_some_of_the_same_queries(tmp_path) -> None:
    whole = opened(FIRST, SECOND)
    fewer = replace(whole, workload=replace(whole.workload, queries=(SECOND,)))
    request, measured = kept(whole, tmp_path)
    kept(fewer, tmp_path)
    assert workload(request.name, request.options) == measured


def test_what_a_file_keeps_as_it_is_keeps_its_name(tmp_path) -> None:
    bench = opened(SECOND)
    request, measured = kept(bench, tmp_path)
    assert request.name == str(tmp_path / f"{bench.workload.name}.sql")
    assert measured.name == bench.workload.name


def test_a_query_that_turned_out_to_write_still_does(tmp_path) -> None:
    tried = replace(FIRST, sql="SELECT note(1)", writes=True)
    for alone in (True, False):
        _, bench = kept_bench(ASKED, tmp_path, opened(tried, SECOND), alone=alone)
        assert [query.writes for query in bench.workload.queries] == [True, False]
