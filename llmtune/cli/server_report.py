"""A `ServerReport` for people: in short before tuning, in full for `llmtune doctor`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from typing import Any

from llmtune.knobs.catalogue import load_catalogue
from llmtune.postgres.live.report import ServerReport
from llmtune.report.table import Table
from llmtune.units import format_memory

SHOWN_NAMES = 4
"""Knobs named in one line; the full list is `llmtune doctor`'s."""


def summary(report: ServerReport) -> Iterator[str]:
    """A line for each fact that a person should know before anything is touched."""
    kind = "standby" if report.standby else "primary"
    yield f"{report.name}: PostgreSQL {report.release}, {kind}, {_whose(report)}"
    yield f"Role {report.rights.role}: {_rights(report)}"
    yield f"Hardware: {_hardware(report)}. Restart: {report.restarter or 'not allowed'}"
    in_use = report.in_use
    yield (
        f"In use: {in_use.connections} connections, {in_use.replication_slots} replication slots, "
        f"{in_use.wal_senders} WAL senders, {in_use.prepared_transactions} prepared transactions"
    )
    by = Counter(one.effect.value for one in report.reaches if one.reachable)
    counts = ", ".join(f"{count} by {effect}" for effect, count in by.items())
    yield f"Knobs that can be tuned: {len(report.reachable)} of {len(report.reaches)} ({counts})"
    for obstacle, names in _obstacles(report).items():
        yield f"Left out: {_named(names)}: {obstacle}"
    for reason, names in _leeways(report).items():
        yield f"Tuned within a narrower range: {_named(names)}: {reason}"
    for override in report.masked:
        yield f"Overridden for some sessions by {override.statement}; to remove: {override.mend}"
    if report.pending:
        yield f"Already waiting for a restart: {_named(report.pending)}"
    if report.unloaded:
        waiting = _named(map(str, report.unloaded))
        yield f"Edited but not loaded; the next reload, LLMTune's too, activates it: {waiting}"


def tables(report: ServerReport) -> Iterator[Table]:
    """Every knob: what it is, where from, and what is in the way; then what outranks them."""
    reaches = {one.name: one for one in report.reaches}
    risky = {knob.name for knob in load_catalogue().knobs if knob.durability}
    rows = (
        (
            one.name,
            one.text,
            one.origin,
            reaches[one.name].effect.value,
            reaches[one.name].obstacle or ("only if asked" if one.name in risky else "yes"),
        )
        for one in report.settings
        if one.name in reaches
    )
    yield Table(("knob", "now", "from", "changes by", "can be tuned"), tuple(rows))
    if report.overrides:
        found = ((one.statement, "yes" if one.applies else "no") for one in report.overrides)
        yield Table(("outranks ALTER SYSTEM", "for our own sessions"), tuple(found))


def report_json(report: ServerReport) -> dict[str, Any]:
    """The report as JSON values."""
    facts = asdict(report)
    facts["rights"] |= {name: sorted(facts["rights"][name]) for name in ("alters", "sets")}
    present = {one.name: one.text for one in report.settings}
    return {**facts, "present": present, "reachable": list(report.reachable)}


def _whose(report: ServerReport) -> str:
    if report.provider is not None:
        return f"managed by {report.provider.name} (server settings: {report.provider.place})"
    return "on this machine" if report.here else "on another machine or in a container"


def _rights(report: ServerReport) -> str:
    rights = report.rights
    if rights.superuser:
        return "superuser"
    may = [
        f"ALTER SYSTEM on {len(rights.alters)} knobs" if rights.alters else "no ALTER SYSTEM",
        "reloads" if rights.reloads else "may not reload",
        "sees where settings come from" if rights.reads_settings else "no pg_read_all_settings",
        "sees all statistics" if rights.reads_statistics else "no pg_read_all_stats",
    ]
    return ", ".join(may)


def _hardware(report: ServerReport) -> str:
    if report.hardware is None:
        return "not known; say it with --cores and --memory"
    return f"{report.hardware.cores} cores, {format_memory(report.hardware.memory)}"


def _obstacles(report: ServerReport) -> dict[str, list[str]]:
    """The knobs that cannot be tuned, by reason; a reason that names its knob is told once."""
    found: dict[str, list[str]] = {}
    for one in report.reaches:
        if one.obstacle:
            reason = one.obstacle.replace(f" {one.name} ", " <knob> ")
            found.setdefault(reason, []).append(one.name)
    return found


def _leeways(report: ServerReport) -> dict[str, list[str]]:
    """The knobs that are tuned within less than the catalogue's range, by reason."""
    found: dict[str, list[str]] = {}
    for name, leeway in report.leeways.items():
        if name in report.reachable:
            found.setdefault(leeway.why, []).append(name)
    return found


def _named(names: Iterable[str]) -> str:
    names = list(names)
    more = len(names) - SHOWN_NAMES
    return ", ".join(names[:SHOWN_NAMES]) + (f" and {more} more" if more > 0 else "")
