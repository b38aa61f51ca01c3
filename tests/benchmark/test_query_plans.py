from llmtune.benchmark.benchmark import Benchmark
from llmtune.benchmark.query_plans import plans_of
from llmtune.benchmark.synthetic import SyntheticEvaluator
from llmtune.knobs.catalogue import load_catalogue
from llmtune.knobs.space import resolve_space
from optimizers import registry
from workloads.tpch import tpch_workload

TPCH = tpch_workload(0.01, 1)


def test_a_benchmark_shows_the_plans_of_chosen_queries_also_after_a_restart(embedded, tpch_tiny):
    space = resolve_space(load_catalogue(), embedded.version, embedded.hardware)
    benchmark = Benchmark(embedded, space, TPCH, tpch_tiny)
    plans = plans_of(benchmark)
    assert plans is not None
    assert list(plans.weights) == [query.id for query in TPCH.queries]
    queries, hashed = ["q6", "q2", "q21"], space.configuration({"enable_nestloop": False})
    (default,) = plans.features([space.default()], queries)
    embedded.restart()
    (other,) = plans.features([hashed], queries)
    assert other.shape == default.shape == (3, default.shape[1])
    assert (other != default).any(axis=1).tolist() == [False, True, True]
    optimizer = registry.optimizer("plan", space, TPCH.objective, 0, what_if=plans)
    optimizer.tell(benchmark.measure(space.baseline(), number=0, source="default"))
    asked = optimizer.ask()
    space.validate(asked)
    (promised,) = plans.features([asked], list(plans.weights))
    (present,) = plans.features([space.baseline()], list(plans.weights))
    assert promised[:, 0].mean() < present[:, 0].mean(), "it asks for plans of less effort"


def test_an_evaluator_without_queries_to_plan_shows_none(embedded):
    space = resolve_space(load_catalogue(), embedded.version, embedded.hardware)
    assert plans_of(SyntheticEvaluator(space, 0)) is None
