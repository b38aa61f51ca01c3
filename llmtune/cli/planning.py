"""What a session is about to do: its plan in words, and every statement of a dry run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from psycopg import sql

from llmtune.benchmark.observe import ObservedWorkload
from llmtune.cli.bench import Bench
from llmtune.knobs.knob import Effect
from llmtune.knobs.memory import memory_budget
from llmtune.postgres.applied import Planned
from llmtune.postgres.dsn import DsnTarget
from llmtune.postgres.originals import Originals
from llmtune.postgres.server_settings import alter_statement, setting_text
from llmtune.postgres.settings import SettingsApplier
from llmtune.postgres.traffic_reader import counting_statement
from llmtune.report.wording import span_text
from llmtune.tuning.guards import refusal
from llmtune.tuning.plan import Plan
from llmtune.tuning.record import SessionRecord
from llmtune.units import format_memory
from optimizers.warm_start import default_proposal, portfolio
from workloads.workload import TransactionMix

RELOAD = "SELECT pg_reload_conf();"
WAYS = {
    Effect.SESSION: "per session",
    Effect.RELOAD: "by ALTER SYSTEM and a reload",
    Effect.RESTART: "by ALTER SYSTEM and a restart",
}


def plan_lines(bench: Bench, plan: Plan) -> Iterator[str]:
    """What will be touched and how, for people, before the first change."""
    for effect, how in WAYS.items():
        names = [knob.name for knob in bench.space.knobs if knob.effect is effect]
        if names:
            yield f"{len(names)} knob{'s' if len(names) > 1 else ''} set {how}: {', '.join(names)}"
    limit = format_memory(memory_budget(bench.space, bench.busy) >> 20 << 20)
    yield f"memory: nothing is applied that could need over {limit} ({_sessions(bench)})"
    runs = 3 * plan.confirm_runs
    trials = "search trials until the time is used"
    if plan.trials is not None:
        trials = f"{plan.trials} search trials"
    time = "" if plan.seconds is None else f", {span_text(plan.seconds)} for everything"
    yield f"{trials}, up to {plan.prune_trials} to minimise, up to {runs} final runs{time}"


def _sessions(bench: Bench) -> str:
    """For how many the memory is counted; on a server of others they may come to be more."""
    counted = f"{bench.busy} session{'s' if bench.busy > 1 else ''}"
    allowed = bench.facts.connections
    if allowed is None:
        return counted
    return (
        f"{counted} of the {allowed} that the server allows; give the number at its busiest by "
        "--peak-sessions"
    )


def dry_run_lines(bench: Bench, record: SessionRecord) -> Iterator[str]:
    """Every statement that is known up front, as SQL with comments."""
    yield "-- Dry run: the server is only read."
    for line in plan_lines(bench, record.plan):
        yield f"-- {line}"
    applier = SettingsApplier(bench.target, bench.space)
    yield f"-- 1. default, {record.plan.default_repeats} times: the settings as they are"
    yield from _workload(bench)
    touched: dict[str, None] = {}
    _, *others = portfolio(default_proposal(bench.space), *record.proposals)
    for number, proposal in enumerate(others, 2):
        yield f"-- {number}. {proposal.source}"
        refused = refusal(proposal.configuration, bench.space, bench.facts)
        if refused:
            yield f"-- not applied: {refused}"
            continue
        planned = applier.plan(proposal.configuration)
        touched |= dict.fromkeys(planned.altered)
        yield from _applied(bench, planned)
    yield f"-- {record.optimizer} proposes further ones from what was measured"
    yield from _put_back(bench, applier.originals, list(touched))


def _workload(bench: Bench) -> Iterator[str]:
    wanted = bench.workload
    if isinstance(wanted, ObservedWorkload):
        yield "-- nothing is run: this reads the traffic's counters, over one window:"
        yield f"{counting_statement(bench.target)};"
        return
    if isinstance(wanted, TransactionMix):
        yield f"-- {wanted.name}: transactions of {wanted.clients} connections, on a copy"
        return
    yield f"-- {len(wanted.queries)} queries in {bench.database}, once to warm up and once timed:"
    for query in wanted.queries:
        yield f"-- {query.id}\n{query.sql.strip().rstrip(';')};"


def _applied(bench: Bench, planned: Planned) -> Iterator[str]:
    yield from (_altered(name, text) for name, text in planned.altered.items())
    if planned.restart:
        yield f"-- {_restart(bench)}, for {', '.join(planned.restart)}"
    elif planned.reload:
        yield RELOAD
    present = {name: setting_text(value) for name, value in bench.space.baseline().items()}
    changed = {name: one for name, one in planned.session.items() if one != present[name]}
    for name, text in changed.items():
        setting = sql.SQL("SET {} = {};").format(sql.Identifier(name), sql.Literal(text))
        yield setting.as_string(None)
    same = [name for name in planned.session if name not in changed]
    if same:
        yield f"-- also set, each to its present value: {', '.join(same)}"
    yield "-- the workload as above"


def _restart(bench: Bench) -> str:
    target = bench.target
    way = target.report.restarter if isinstance(target, DsnTarget) else None
    return f"restart: {way}" if way else "the server is restarted"


def _put_back(bench: Bench, originals: Originals, names: Sequence[str]) -> Iterator[str]:
    """What brings the present settings back after these proposals."""
    yield "-- put back at the end, or by `llmtune restore` after a kill:"
    knobs = [bench.space[name] for name in names]
    if not knobs:
        yield "-- nothing: session settings end with their sessions"
    for knob in knobs:
        yield _altered(knob.name, originals.settings[knob.name].altered)
    if knobs:
        yield RELOAD
    waiting = [knob.name for knob in knobs if knob.effect is Effect.RESTART]
    if waiting:
        yield f"-- {_restart(bench)}, for {', '.join(waiting)}"


def _altered(name: str, text: str | None) -> str:
    return f"{alter_statement(name, text).as_string(None)};"
