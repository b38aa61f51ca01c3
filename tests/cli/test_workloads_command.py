"""`llmtune workloads`, and options that a workload does not take."""

from llmtune.cli.option_groups import WorkloadOptionGroup
from tests.cli.conftest import Run
from workloads import registry
from workloads.options import WorkloadOptions


def test_it_lists_every_workload_with_what_it_takes(run: Run) -> None:
    listed = {one["name"]: one for one in run("workloads", "--json").json["workloads"]}
    assert set(registry.names()) < set(listed)
    assert listed["tpch"]["default_scale"] == 0.1
    assert "--duration" in listed["tpcb"]["options"]
    assert [name for name, one in listed.items() if "--drawn" in one["options"]] == ["job"]


def test_people_get_a_table(run: Run) -> None:
    shown = run("workloads").stdout
    assert all(name in shown for name in registry.names())


def test_an_option_of_another_workload_is_a_wrong_request(run: Run) -> None:
    for command in (("tune",), ("suggest",), ("compare",), ("datagen", "--out", "never")):
        ended = run(*command, "--workload", "ssb", "--duration", "5s")
        assert ended.exit_code == 2
        assert "--duration means nothing to the workload ssb" in ended.message
        drawn = run(*command, "--workload", "tpcc", "--drawn")
        assert (drawn.exit_code, "--drawn means nothing" in drawn.message) == (2, True)


def test_published_queries_are_run_unless_others_are_asked_for() -> None:
    assert WorkloadOptionGroup("job").request(3, "embedded").options.seed is None
    assert WorkloadOptionGroup("job", drawn=True).request(3, "embedded").options.seed == 3
    assert WorkloadOptionGroup().request(3, "embedded").options.seed == 3


def test_options_become_the_workload_s_own() -> None:
    group = WorkloadOptionGroup("tpcb", scale=2, clients=3, duration="1min", objective="p95")
    request = group.request(0, "host=db")
    assert request.name == "tpcb"
    assert request.options == WorkloadOptions(2, 0, 3, 60.0, "p95")
