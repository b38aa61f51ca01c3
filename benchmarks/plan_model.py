"""What `plan`'s model foretells of configurations that it has not seen.

    llmtune compare --workload tpch --scale 0.3 --optimizer plan --optimizer tpe ... --out DIR
    python benchmarks/plan_model.py DIR --scale 0.3

The complete search trials of the comparison are planned again, with nothing run. From the
first of them of each session the model learns; the other sessions' configurations that are not
among these it ranks, or the later ones' where there is one session only, each of them once and
the default never.
Comparisons with `--spare warm,bounds,order` serve: a trial with reused times is left out.
Printed, as means over the sessions: the share of the variance of the planned queries' log times
that is foretold, the rank correlation of the totals of all queries, and where the five that look
best really stand by these (0 is the best place, 0.5 is no better than chance). Planned are the
heaviest queries, as far as `plan` looks at them; what share of the total they have is printed
too. The others' part is foretold as `plan` does, from the knobs alone. Without any trial the
plans' effort alone decides. There is a row for so many trials where each session has as many.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.stats import spearmanr

from llmtune.benchmark.query_plans import plans_of
from llmtune.cli.bench import open_bench
from llmtune.cli.progress import Reporter
from llmtune.cli.safety import own_safety
from llmtune.knobs.configuration import Configuration
from llmtune.trial import Trial
from llmtune.tuning.record import Phase
from llmtune.tuning.requests import TargetRequest, WorkloadRequest
from llmtune.tuning.store import SessionStore
from optimizers.plan import heaviest_planned
from optimizers.plan_model import PlanModel
from optimizers.plan_rest import RestModel
from optimizers.query_rows import Rest, Row
from optimizers.space import UnitCube
from workloads.options import WorkloadOptions

Floats = NDArray[np.float64]
Scores: TypeAlias = tuple[float, float, float]
TRIALS = (0, 3, 5, 8, 12, 20, 40)
LOOKS_BEST = 5
DEFAULT = 0
"""The number of the default configuration."""


@dataclass(frozen=True, slots=True)
class Measured:
    """The complete search trials of a comparison.

    Attributes:
        tables: of each its features, shape (trials, planned queries, d).
        points: where each was, shape (trials, knobs).
        logs: of each its planned queries' log times over the default's, shape
            (trials, planned queries).
        rest: what each tells of the other queries together.
        shares: each planned query's share of their total under the default, shape
            (planned queries,).
        configurations: of each the number of its configuration, shape (trials,); that of the
            default is 0.
        sessions: of each the number of its session, shape (trials,).
    """

    tables: Floats
    points: Floats
    logs: Floats
    rest: Rest
    shares: Floats
    configurations: NDArray[np.int_]
    sessions: NDArray[np.int_]

    @property
    def totals(self) -> Floats:
        """Of each the total of all queries over the default's, shape (trials,)."""
        planned = np.exp(self.logs) @ self.shares
        others = np.exp(self.rest.logs) if self.rest.share else 0.0
        return np.asarray((1 - self.rest.share) * planned + self.rest.share * others)

    def split(self, session: int, count: int) -> tuple[NDArray[np.int_], NDArray[np.int_]]:
        """The first trials of a session, and those by which to judge what they teach."""
        own = np.flatnonzero(self.sessions == session)
        others = np.flatnonzero(self.sessions != session)
        learnt, rest = own[:count], others if len(others) else own[count:]
        known = [DEFAULT, *self.configurations[learnt]]
        rest = rest[~np.isin(self.configurations[rest], known)]
        _, firsts = np.unique(self.configurations[rest], return_index=True)
        return learnt, rest[np.sort(firsts)]


def stored(folder: Path) -> list[list[Trial]]:
    """Of each session the complete search trials, in their order."""
    store = SessionStore(f"sqlite:///{folder / 'sessions.db'}")
    journals = [store.journal(summary.record.id) for summary in store.sessions()]
    store.close()
    searches = [[one.trial for one in each if one.phase is Phase.SEARCH] for each in journals]
    return [[one for one in each if one.succeeded and not any_reused(one)] for each in searches]


def any_reused(trial: Trial) -> bool:
    return any(time.reused for time in trial.query_times)


def looked_at(tables: Mapping[str, int], amounts: Mapping[str, float]) -> list[str]:
    """The queries that `plan` looks at, by how much of the total each takes: see `plan.Plan`."""
    heaviest = sorted(amounts, key=lambda query: -amounts[query])
    chosen = set(heaviest_planned(heaviest, tables))
    return [query for query in amounts if query in chosen]


def numbered(trials: Iterable[Trial], default: Configuration) -> NDArray[np.int_]:
    """Of each trial the number of its configuration."""
    numbers = {default: DEFAULT}
    return np.array([numbers.setdefault(one.configuration, len(numbers)) for one in trials])


def measured(
    journals: list[list[Trial]], target: TargetRequest, request: WorkloadRequest
) -> Measured:
    trials = [trial for journal in journals for trial in journal]
    times = [{time.query_id: time.seconds for time in trial.query_times} for trial in trials]
    sessions = np.repeat(np.arange(len(journals)), [len(journal) for journal in journals])
    reporter = Reporter(quiet=True)
    safety = own_safety("plan_model", reporter, yes=True)
    with open_bench(target, request, reporter, safety) as bench:
        plans = plans_of(bench.query_benchmark())
        assert plans is not None
        ids, weights = list(plans.weights), np.array(list(plans.weights.values()))
        configurations = numbered(trials, bench.space.baseline())
        seconds = np.array([[one[query] for query in ids] for one in times])
        reference = np.median(seconds[configurations == DEFAULT], axis=0)
        amounts = reference * weights
        queries = looked_at(plans.tables, dict(zip(ids, amounts.tolist(), strict=True)))
        tables = np.array(plans.features([trial.configuration for trial in trials], queries))
        cube = UnitCube(bench.space)
        points = np.array([cube.vector(trial.configuration) for trial in trials])
    planned = np.isin(ids, queries)
    logs = np.log(seconds / reference)[:, planned]
    shares = amounts[planned] / amounts[planned].sum()
    rest = rest_of(seconds * weights, amounts, planned)
    return Measured(tables, points, logs, rest, shares, configurations, sessions)


def rest_of(spent: Floats, amounts: Floats, planned: NDArray[np.bool_]) -> Rest:
    """What trials tell of the queries that are not planned.

    Args:
        spent: weighted seconds of each trial's queries, shape (trials, queries).
        amounts: the same under the default, shape (queries,).
        planned: shape (queries,).
    """
    if planned.all():
        return Rest(0.0, np.full(len(spent), np.nan))
    under_default = float(amounts[~planned].sum())
    logs = np.log(spent[:, ~planned].sum(axis=1) / under_default)
    return Rest(under_default / float(amounts.sum()), logs)


def scores(facts: Measured, session: int, count: int) -> Scores:
    """Of the model after the first trials of a session; after none, of the effort alone."""
    learnt, unseen = facts.split(session, count)
    default = facts.tables[np.flatnonzero(facts.configurations == DEFAULT)[0]]
    every = list(range(len(facts.shares)))
    rows = [Row(every, facts.logs[at]) for at in learnt]
    model = PlanModel(facts.shares, default, list(facts.tables[learnt]), rows, session)
    told = replace(facts.rest, logs=facts.rest.logs[learnt])
    rest = RestModel(told, facts.points[learnt], session)
    tables, real = list(facts.tables[unseen]), facts.logs[unseen]
    expected = model.opinions(tables).mean(axis=0)
    looks = rest.beside(model.predict(tables), facts.points[unseen]).mean
    foretold = 1 - ((expected - real) ** 2).sum() / (real**2).sum()
    return float(foretold), *ranks(looks, facts.totals[unseen])


def ranks(looks: Floats, is_so: Floats) -> tuple[float, float]:
    """The rank correlation of two orders, and where the first by the one stand in the other."""
    places = np.argsort(np.argsort(is_so)) / len(is_so)
    best = float(places[np.argsort(looks)[:LOOKS_BEST]].mean())
    return float(spearmanr(looks, is_so).statistic), best


def table(facts: Measured) -> Iterable[str]:
    yield "| trials learnt | variance foretold | rank correlation | place of the best |"
    yield "|---|---|---|---|"
    sessions = [int(one) for one in np.unique(facts.sessions)]
    for count in TRIALS:
        splits = [facts.split(one, count) for one in sessions]
        if all(len(own) == count and len(rest) >= LOOKS_BEST for own, rest in splits):
            means = np.mean([scores(facts, one, count) for one in sessions], axis=0)
            yield f"| {count or 'none'} | {means[0]:.2f} | {means[1]:.2f} | {means[2]:.2f} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=re.sub(r"(?s)\n\n.*", "", __doc__ or ""))
    parser.add_argument("folder", type=Path, help="of a comparison")
    parser.add_argument("--workload", default="tpch", help="that it was made on")
    parser.add_argument("--scale", type=float, help="of its data set")
    parser.add_argument("--memory", help="its servers' limit, such as 1GB")
    arguments = parser.parse_args()
    target = TargetRequest("embedded", memory=arguments.memory)
    request = WorkloadRequest(arguments.workload, WorkloadOptions(scale=arguments.scale))
    facts = measured(stored(arguments.folder), target, request)
    count = len(np.unique(facts.sessions))
    print(f"{len(facts.logs)} complete search trials of {count} sessions; planned queries have")
    print(f"{1 - facts.rest.share:.2f} of the default's total\n")
    print("\n".join(table(facts)))


if __name__ == "__main__":
    main()
