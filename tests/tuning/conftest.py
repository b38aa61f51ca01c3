"""A tuning session over a synthetic evaluator: no server, no waiting."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from llmtune.benchmark.synthetic import Behaviour, SyntheticEvaluator
from llmtune.knobs.catalogue import load_catalogue
from llmtune.knobs.hardware import Hardware
from llmtune.knobs.space import KnobSpace, resolve_space
from llmtune.tuning.new_record import new_record
from llmtune.tuning.plan import Plan
from llmtune.tuning.record import Request, SessionRecord
from llmtune.tuning.store import SessionStore
from optimizers.warm_start import rules_proposal

KNOBS = [
    "shared_buffers",
    "work_mem",
    "random_page_cost",
    "effective_cache_size",
    "jit",
    "max_parallel_workers_per_gather",
    "from_collapse_limit",
    "effective_io_concurrency",
]


@pytest.fixture
def space() -> KnobSpace:
    return resolve_space(load_catalogue(), 18, Hardware(2, 4 << 30), KNOBS)


@pytest.fixture
def evaluator(space) -> SyntheticEvaluator:
    return SyntheticEvaluator(space, 1, Behaviour(active=3, optimum_gain=3.0, noise=0.01))


@pytest.fixture
def store() -> SessionStore:
    return SessionStore("sqlite://")


@pytest.fixture
def make_record(evaluator) -> Callable[..., SessionRecord]:
    """Build a record; keywords go to the plan, but for `optimizer`."""

    def make(optimizer: str = "tpe", **plan: float | None) -> SessionRecord:
        request = Request("test", "synthetic", optimizer, "rules", 0, Plan(**plan))
        return new_record(evaluator, request, [rules_proposal(evaluator.space)])

    return make
