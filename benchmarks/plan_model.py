"""What `plan`'s model foretells of configurations that it has not seen.

    llmtune compare --workload tpch --scale 0.3 --optimizer plan --optimizer tpe ... --out DIR
    python benchmarks/plan_model.py DIR --scale 0.3

The complete trials of the comparison are planned again, with nothing run. From the first
trials of each session the model learns, as `plan` does; those of the other sessions it ranks,
or the later ones where there is one session only.
Comparisons with `--spare warm,bounds,order` serve: a trial with reused times is left out.
Printed, as means over the sessions: the share of the variance of the queries' log times that
is foretold, the rank correlation of the totals, and where the five that look best really
stand (0 is the best place, 0.5 is no better than chance). Without any trial the plans' effort
alone decides. All is about the heaviest queries, as `plan` looks at no others.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.stats import spearmanr

from llmtune.benchmark.query_plans import plans_of
from llmtune.cli.bench import WorkloadRequest, open_bench
from llmtune.cli.progress import Reporter
from llmtune.cli.safety import own_safety
from llmtune.cli.targets import TargetRequest
from llmtune.trial import Trial
from llmtune.tuning.store import SessionStore
from optimizers.plan_model import PlanModel
from workloads.options import WorkloadOptions

Floats = NDArray[np.float64]
Scores: TypeAlias = tuple[float, float, float]
HEAVIEST = 20
TRIALS = (0, 3, 5, 8, 12, 20, 40)
LOOKS_BEST = 5


@dataclass(frozen=True, slots=True)
class Measured:
    """The complete trials of a comparison.

    Attributes:
        tables: of each its features, shape (trials, queries, d).
        logs: of each its queries' log times over the default's, shape (trials, queries).
        shares: each query's share of the default's total, shape (queries,).
        defaults: which of them are the default configuration, shape (trials,).
        sessions: of each the number of its session, shape (trials,).
    """

    tables: Floats
    logs: Floats
    shares: Floats
    defaults: NDArray[np.bool_]
    sessions: NDArray[np.int_]

    def split(self, session: int, count: int) -> tuple[NDArray[np.int_], NDArray[np.int_]]:
        """The first trials of a session, and those by which to judge what they teach."""
        own = np.flatnonzero(self.sessions == session)
        others = np.flatnonzero((self.sessions != session) & ~self.defaults)
        return own[:count], others if len(others) else own[count:]


def stored(folder: Path) -> list[list[Trial]]:
    """Of each session the complete trials, in their order."""
    store = SessionStore(f"sqlite:///{folder / 'sessions.db'}")
    journals = [store.journal(summary.record.id) for summary in store.sessions()]
    store.close()
    trials = [[entry.trial for entry in journal] for journal in journals]
    return [[one for one in each if one.succeeded and not any_reused(one)] for each in trials]


def any_reused(trial: Trial) -> bool:
    return any(time.reused for time in trial.query_times)


def measured(journals: list[list[Trial]], workload: str, scale: float | None) -> Measured:
    trials = [trial for journal in journals for trial in journal]
    sessions = np.repeat(np.arange(len(journals)), [len(journal) for journal in journals])
    reporter = Reporter(quiet=True)
    request = WorkloadRequest(workload, WorkloadOptions(scale=scale))
    with open_bench(
        TargetRequest("embedded"), request, reporter, own_safety("plan_model", reporter, yes=True)
    ) as bench:
        plans = plans_of(bench.query_benchmark())
        assert plans is not None
        queries = list(plans.weights)
        tables = np.array(plans.features([trial.configuration for trial in trials], queries))
        default = bench.space.baseline()
    times = [{time.query_id: time.seconds for time in trial.query_times} for trial in trials]
    seconds = np.array([[one[query] for query in queries] for one in times])
    defaults = np.array([trial.configuration == default for trial in trials])
    reference = np.median(seconds[defaults], axis=0)
    heavy = np.sort(np.argsort(-reference)[:HEAVIEST])
    logs, shares = np.log(seconds / reference)[:, heavy], reference[heavy] / reference[heavy].sum()
    return Measured(tables[:, heavy], logs, shares, defaults, sessions)


def scores(facts: Measured, session: int, count: int) -> Scores:
    """Of the model after the first trials of a session; after none, of the effort alone."""
    learnt, unseen = facts.split(session, count)
    default = facts.tables[np.flatnonzero(facts.defaults)[0]]
    model = PlanModel(facts.shares, default, session)
    every = list(range(len(facts.shares)))
    model.fit(list(facts.tables[learnt]), [(every, facts.logs[at]) for at in learnt])
    expected = model.opinions(list(facts.tables[unseen])).mean(axis=0)
    return score(expected, facts.logs[unseen], facts.shares)


def score(expected: Floats, real: Floats, shares: Floats) -> Scores:
    foretold = 1 - ((expected - real) ** 2).sum() / (real**2).sum()
    looks, is_so = np.exp(expected) @ shares, np.exp(real) @ shares
    places = np.argsort(np.argsort(is_so)) / len(is_so)
    best = float(places[np.argsort(looks)[:LOOKS_BEST]].mean())
    return float(foretold), float(spearmanr(looks, is_so).statistic), best


def table(facts: Measured) -> Iterable[str]:
    yield "| trials learnt | variance foretold | rank correlation | place of the best |"
    yield "|---|---|---|---|"
    sessions = [int(one) for one in np.unique(facts.sessions)]
    for count in TRIALS:
        if all(len(facts.split(one, count)[1]) >= LOOKS_BEST for one in sessions):
            means = np.mean([scores(facts, one, count) for one in sessions], axis=0)
            yield f"| {count or 'none'} | {means[0]:.2f} | {means[1]:.2f} | {means[2]:.2f} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=re.sub(r"(?s)\n\n.*", "", __doc__ or ""))
    parser.add_argument("folder", type=Path, help="of a comparison")
    parser.add_argument("--workload", default="tpch", help="that it was made on")
    parser.add_argument("--scale", type=float, help="of its data set")
    arguments = parser.parse_args()
    facts = measured(stored(arguments.folder), arguments.workload, arguments.scale)
    print(f"{len(facts.logs)} complete trials of {facts.sessions.max() + 1} sessions\n")
    print("\n".join(table(facts)))


if __name__ == "__main__":
    main()
