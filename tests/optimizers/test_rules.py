"""The rules' values: by storage, by type of workload, and as they were measured."""

from itertools import product

import pytest

from llmtune.knobs.catalogue import load_catalogue
from llmtune.knobs.configuration import Configuration
from llmtune.knobs.hardware import Hardware
from llmtune.knobs.memory import fits
from llmtune.knobs.space import KnobSpace, resolve_space
from llmtune.knobs.storage import Storage
from optimizers.rules import RULES, WorkloadType, rule_configuration

GIB = 1 << 30
MEASURED = {
    4: {
        "shared_buffers": 131072,
        "effective_cache_size": 393216,
        "work_mem": 196608,
        "maintenance_work_mem": 262144,
        "min_wal_size": 256,
        "max_wal_size": 1024,
    },
    24: {
        "shared_buffers": 786432,
        "effective_cache_size": 2359296,
        "work_mem": 1179648,
        "maintenance_work_mem": 1572864,
        "min_wal_size": 1024,
        "max_wal_size": 6144,
    },
}
"""By GiB of memory, on two cores: what the published figures for TPC-H rest on."""

OF_ANY_MEMORY = {
    "max_worker_processes": 8,
    "max_parallel_workers": 2,
    "max_parallel_workers_per_gather": 1,
    "max_parallel_maintenance_workers": 1,
    "random_page_cost": 1.1,
    "effective_io_concurrency": 200,
    "default_statistics_target": 500,
    "checkpoint_completion_target": 0.9,
    "checkpoint_timeout": 900,
    "wal_buffers": 2048,
}


def space(cores: int, memory: int) -> KnobSpace:
    return resolve_space(load_catalogue(), 18, Hardware(cores, memory))


def rules(workload: WorkloadType, storage: Storage, clients: int = 8) -> Configuration:
    return rule_configuration(space(16, 32 * GIB), clients, workload, storage)


@pytest.mark.parametrize("gib", MEASURED)
def test_for_queries_that_only_read_from_ssd_they_are_what_was_measured(gib: int) -> None:
    found = rule_configuration(space(2, gib * GIB))
    assert {name: found[name] for name in RULES} == {**MEASURED[gib], **OF_ANY_MEMORY}
    warehouse = rule_configuration(space(2, gib * GIB), 1, WorkloadType.WAREHOUSE, Storage.SSD)
    assert warehouse == found, "which a matrix takes for granted"


@pytest.mark.parametrize(
    ("storage", "cost", "reads"),
    [(Storage.SSD, 1.1, 200), (Storage.HDD, 4.0, 2), (Storage.SAN, 1.1, 300)],
)
@pytest.mark.parametrize("workload", WorkloadType)
def test_storage_decides_what_a_page_costs_and_nothing_else(
    workload: WorkloadType, storage: Storage, cost: float, reads: int
) -> None:
    usual = dict(rules(workload, Storage.SSD))
    found = dict(rules(workload, storage))
    assert found == {**usual, "random_page_cost": cost, "effective_io_concurrency": reads}


@pytest.mark.parametrize(
    ("workload", "wal", "statistics", "workers"),
    [
        (WorkloadType.WAREHOUSE, (1024, 8192), 500, 8),
        (WorkloadType.MIXED, (1024, 4096), 100, 4),
        (WorkloadType.OLTP, (2048, 8192), 100, 4),
    ],
)
def test_the_type_of_workload_decides_log_statistics_and_workers(
    workload: WorkloadType, wal: tuple[int, int], statistics: int, workers: int
) -> None:
    found = rules(workload, Storage.SSD)
    assert (found["min_wal_size"], found["max_wal_size"]) == wal
    assert found["default_statistics_target"] == statistics
    assert found["max_parallel_workers_per_gather"] == workers
    assert found["max_parallel_maintenance_workers"] == 4


def test_a_sort_of_a_transaction_may_have_twice_the_memory_of_one_of_a_large_query() -> None:
    types = WorkloadType.OLTP, WorkloadType.MIXED
    oltp, mixed = (float(rules(one, Storage.SSD)["work_mem"]) for one in types)
    assert oltp == pytest.approx(2 * mixed, rel=0.05)


@pytest.mark.parametrize("memory", [GIB // 4, GIB, 256 * GIB])
@pytest.mark.parametrize("clients", [1, 64])
def test_they_are_valid_and_fit_for_any_workload(memory: int, clients: int) -> None:
    server = space(2, memory)
    for workload, storage in product(WorkloadType, Storage):
        found = rule_configuration(server, clients, workload, storage)
        server.validate(found)
        assert fits(found, server, clients)
