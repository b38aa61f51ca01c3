"""`report.html`: one page about one session, complete in itself and loading nothing."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING

from llmtune.benchmark.observe import MEAN_TIME
from llmtune.report.chart import session_chart, source_colour, svg
from llmtune.report.curve import objective_of, session_curve
from llmtune.report.export import conf
from llmtune.report.table import (
    QueryChange,
    decision_table,
    facts_table,
    importance_table,
    knob_table,
    trial_table,
)
from llmtune.report.wording import Verdict, decision_text, headline, number_text, ratio_text
from llmtune.tuning.result import TuningResult
from workloads.objective import LATENCY

if TYPE_CHECKING:
    from jinja2 import Template

PARTS = {LATENCY.name: ("query", "queries"), MEAN_TIME.name: ("statement", "statements")}
"""By the objective, what a workload is made of, one and many: queries that we ran, statements
of others that we watched."""
TRANSACTIONS = ("transaction", "transactions")


def page(result: TuningResult, queries: Sequence[QueryChange] = ()) -> str:
    """The whole page as HTML, with the times of the workload's parts if `queries` are given."""
    said = headline(result)
    chart = session_chart(session_curve(result), "", result.baseline)
    part, parts = PARTS.get(result.objective.name, TRANSACTIONS)
    return _template().render(
        result=result,
        headline=said,
        improved=said.verdict is Verdict.IMPROVED,
        chart=svg(chart, f"Best {result.objective.name} so far over trials and over wall time"),
        decision=decision_table(result),
        decided=decision_text(result),
        knobs=knob_table(result.knobs),
        conf=conf(result.knobs, f"{result.workload}: {said.title}"),
        important=importance_table(result.importance),
        part=part,
        parts=parts,
        queries=queries,
        longest=max((max(q.default_s, q.best_s) for q in queries), default=1.0),
        trials=trial_table(result.trials, objective_of(result)),
        colours=[source_colour(trial.source) for trial in result.trials],
        facts=facts_table(result),
    )


@cache
def _template() -> Template:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("llmtune.report", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["number"] = number_text
    environment.filters["ratio"] = ratio_text
    return environment.get_template("page.html")
