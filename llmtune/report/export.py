"""A session's answer as text that PostgreSQL reads, and its trials as CSV."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

from llmtune.report.comparison_csv import csv_text
from llmtune.tuning.result import KnobChange, TrialFacts
from workloads.objective import Objective


def conf(changes: Sequence[KnobChange], comment: str) -> str:
    """Lines for `postgresql.conf` or a file that it includes; `comment` heads them."""
    lines = [f"# {line}".rstrip() for line in comment.splitlines()]
    for change in changes:
        restart = ", needs a restart" if change.effect == "restart" else ""
        lines.append(f"# {change.why} ({change.baseline} {change.default_text}{restart})")
        lines.append(f"{change.name} = {_quoted(change.best_text)}")
    return "\n".join(lines) + "\n"


def sql(changes: Sequence[KnobChange], comment: str) -> str:
    """ALTER SYSTEM statements under the comment, then the reload, and which wait for a restart."""
    lines = [f"-- {line}".rstrip() for line in comment.splitlines()]
    lines += [f"ALTER SYSTEM SET {c.name} = {_quoted(c.best_text)};" for c in changes]
    lines += ["SELECT pg_reload_conf();"] if changes else []
    waiting = [change.name for change in changes if change.effect == "restart"]
    if waiting:
        lines.append(f"-- in force only after a restart: {', '.join(waiting)}")
    return "\n".join(lines) + "\n"


def trials_csv(session: str, objective: Objective, trials: Sequence[TrialFacts]) -> str:
    """The trials as CSV, a column for each knob, in its own unit as in `pg_settings`."""
    head = {"session": session, "objective": objective.name, "unit": objective.unit}
    rows = []
    for trial in trials:
        facts = asdict(trial)
        knobs = facts.pop("configuration")
        rows.append({**head, **facts, **{f"knob.{name}": knobs[name] for name in knobs}})
    return csv_text(rows)


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
