"""A configuration's changes as text that PostgreSQL reads."""

from __future__ import annotations

from collections.abc import Sequence

from llmtune.knobs.configuration import Value
from llmtune.tuning.result import KnobChange


def conf(changes: Sequence[KnobChange], comment: str) -> str:
    """Lines for `postgresql.conf` or a file that it includes; `comment` heads them."""
    lines = [f"# {line}".rstrip() for line in comment.splitlines()]
    for change in changes:
        restart = ", needs a restart" if change.effect == "restart" else ""
        lines.append(f"# {change.why} ({change.baseline} {change.default_text}{restart})")
        lines.append(f"{change.name} = {_quoted(change.best_text)}")
    return "\n".join(lines) + "\n"


def sql(changes: Sequence[KnobChange]) -> str:
    """ALTER SYSTEM statements, then the reload; restart knobs are named in a comment."""
    lines = [f"ALTER SYSTEM SET {c.name} = {_quoted(c.best_text)};" for c in changes]
    lines.append("SELECT pg_reload_conf();")
    waiting = [change.name for change in changes if change.effect == "restart"]
    if waiting:
        lines.append(f"-- in force only after a restart: {', '.join(waiting)}")
    return "\n".join(lines) + "\n"


def values(changes: Sequence[KnobChange]) -> dict[str, Value]:
    """Knob to value, in each knob's own unit as in `pg_settings`."""
    return {change.name: change.best for change in changes}


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
