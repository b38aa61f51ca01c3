"""No configuration that a guard refuses is ever applied."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmtune.benchmark.synthetic import SyntheticEvaluator
from llmtune.knobs.catalogue import load_catalogue
from llmtune.knobs.configuration import Configuration
from llmtune.knobs.hardware import Hardware
from llmtune.knobs.memory import fits, memory_budget, memory_demand, repair
from llmtune.knobs.space import resolve_space
from llmtune.postgres.dsn import DsnTarget
from llmtune.trial import TrialStatus
from llmtune.tuning.circumstances import Circumstances
from llmtune.tuning.guards import ServerFacts, violations
from llmtune.tuning.new_record import new_record
from llmtune.tuning.plan import Plan
from llmtune.tuning.record import Phase, Request
from llmtune.tuning.runner import Runner
from llmtune.tuning.server_facts import Risks, server_facts
from llmtune.tuning.store import SessionStore
from tests.postgres.live_server import address, run

SPACE = resolve_space(load_catalogue(), 18, Hardware(2, 1 << 30), durability=True)
FACTS = st.builds(
    ServerFacts,
    clients=st.integers(1, 300),
    standby=st.booleans(),
    allow_durability=st.booleans(),
    allow_standby=st.booleans(),
)


@st.composite
def configurations(draw):
    chosen = draw(st.lists(st.sampled_from(SPACE.names), unique=True, max_size=8))
    values = {name: SPACE[name].at(draw(st.floats(0, 1))) for name in chosen}
    configuration = SPACE.configuration(values)
    if draw(st.integers(0, 5)) == 0:
        return Configuration({**configuration, draw(st.sampled_from(SPACE.names)): "nonsense"})
    return configuration


class Recording:
    """Notes what reached the server."""

    def __init__(self, inner):
        self.inner, self.space, self.objective = inner, inner.space, inner.objective
        self.applied = []

    def measure(self, configuration, *, number, source, cap=None):
        self.applied.append(configuration)
        return self.inner.measure(configuration, number=number, source=source, cap=cap)


def runner(facts):
    evaluator = Recording(SyntheticEvaluator(SPACE, 1))
    store = SessionStore("sqlite://")
    record = new_record(evaluator, Request("t", "w", "random", "none", 0, Plan()))
    store.create(record)
    return Runner(evaluator, store, record, (), Circumstances(facts=facts)), evaluator


@settings(max_examples=60, deadline=None)
@given(st.lists(configurations(), max_size=5), FACTS)
def test_only_what_every_guard_lets_pass_is_applied(proposed, facts):
    one, evaluator = runner(facts)
    trials = [one.measure(Phase.SEARCH, "test", each) for each in proposed]
    allowed = [each for each in proposed if not violations(each, SPACE, facts)]
    assert evaluator.applied == allowed
    for trial in trials:
        refused = violations(trial.configuration, SPACE, facts)
        assert (trial.status is TrialStatus.REJECTED) == bool(refused)
        assert all(each.reason in trial.message for each in refused)


@given(configurations(), FACTS)
def test_what_is_applied_is_safe(configuration, facts):
    if violations(configuration, SPACE, facts):
        return
    SPACE.validate(configuration)
    assert memory_demand(configuration, SPACE, facts.clients) <= memory_budget(SPACE, facts.clients)
    if not facts.allow_durability:
        assert (configuration["fsync"], configuration["full_page_writes"]) == (True, True)
        assert configuration["synchronous_commit"] == "on"


def guards(facts, **changes):
    return [one.guard for one in violations(SPACE.configuration(changes), SPACE, facts)]


@pytest.mark.parametrize(
    ("facts", "changes", "guard"),
    [
        (ServerFacts(clients=200), {"work_mem": 65536}, "memory"),
        (ServerFacts(), {"fsync": False}, "durability"),
        (ServerFacts(standby=True), {}, "standby"),
        (ServerFacts(standby=True, allow_standby=True), {"wal_buffers": 64}, "standby"),
    ],
)
def test_each_guard_refuses_its_own(facts, changes, guard):
    assert guards(facts, **changes) == [guard]


def test_what_the_user_accepts_passes():
    assert guards(ServerFacts(allow_durability=True), fsync=False) == []
    assert guards(ServerFacts(standby=True, allow_standby=True), work_mem=8192) == []


def running(own=-1):
    """The space of a server that others use, with this much kB for each autovacuum worker."""
    return SPACE.running({**SPACE.default(), "autovacuum_work_mem": own})


def test_autovacuum_counts_where_others_use_the_server():
    configuration = SPACE.configuration({"maintenance_work_mem": 100 << 10})
    workers = SPACE.default()["autovacuum_max_workers"]
    alone = memory_demand(configuration, SPACE)
    unknown = SPACE.running(SPACE.default())
    for space, megabytes in ((unknown, 100), (running(), 100), (running(300 << 10), 300)):
        assert memory_demand(configuration, space) - alone == workers * megabytes << 20
    assert memory_demand(configuration, running(0)) == alone


@given(configurations(), st.integers(1, 100), st.integers(-1, 1 << 20))
def test_what_is_repaired_is_not_refused_for_its_memory(configuration, clients, own):
    space = running(own)
    facts = ServerFacts(clients=clients, allow_durability=True)
    if not violations(configuration, space, facts) or "nonsense" in configuration.values():
        return
    repaired = repair(configuration, space, clients)
    if fits(repaired, space, clients):
        assert violations(repaired, space, facts) == ()


@pytest.fixture
def cleaned(embedded):
    """The address of a server whose autovacuum workers have more memory than others."""
    run(embedded, "ALTER SYSTEM SET autovacuum_work_mem = '200MB'", "SELECT pg_reload_conf()")
    yield address(embedded)
    embedded.recover()


def test_a_proposal_leaves_room_for_what_autovacuum_has_on_the_server(cleaned):
    with DsnTarget(cleaned, SPACE.hardware) as target, target.connect() as connection:
        space = target.tunable(resolve_space(load_catalogue(), target.version, target.hardware))
        facts = server_facts(connection, 1, standby=False, risks=Risks())
    greedy = space.configuration({"work_mem": space["work_mem"].high})
    assert [one.guard for one in violations(greedy, space, facts)] == ["memory"]
    repaired = repair(greedy, space, facts.clients)
    assert violations(repaired, space, facts) == ()
    assert space.surroundings["autovacuum_work_mem"] == 200 << 10


def test_no_clients_is_a_mistake():
    with pytest.raises(ValueError, match="clients"):
        ServerFacts(clients=0)
