"""`llmtune workloads`: what can be run, and what each takes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from llmtune.cli import options

if TYPE_CHECKING:
    from workloads.entries import WorkloadEntry


def workloads(json: options.Json = False) -> None:
    """List the workloads with what each needs, its scale and its options."""
    from llmtune.cli.output import print_json, print_table
    from llmtune.report.table import Table
    from workloads.entries import SQL_FILES
    from workloads.registry import entries

    facts = [_facts(one) for one in (*entries(), SQL_FILES)]
    if json:
        print_json({"workloads": facts})
        return
    columns = ("workload", "what it runs", "needs", "default scale", "options")
    print_table(Table(columns, tuple(_row(one) for one in facts)))


def _facts(entry: WorkloadEntry) -> dict[str, Any]:
    from workloads.registry import flags

    return {
        "name": entry.name,
        "summary": entry.summary,
        "needs": entry.needs,
        "default_scale": entry.scale,
        "options": list(flags(entry)),
    }


def _row(facts: dict[str, Any]) -> tuple[str, ...]:
    scale = facts["default_scale"]
    shown = "" if scale is None else f"{scale:g}"
    return facts["name"], facts["summary"], facts["needs"], shown, " ".join(facts["options"])
