"""`llmtune compare`: warm starts and optimizers against each other, over seeds."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from llmtune.cli import options

if TYPE_CHECKING:
    from llmtune.cli.comparing import Comparison


def compare(
    target: options.Target = "embedded",
    workload: options.Workload = "tpch",
    scale: options.Scale = 0.1,
    cores: options.Cores = None,
    memory: options.Memory = None,
    bindir: options.Bindir = None,
    optimizer: Annotated[
        list[str] | None,
        typer.Option(help="Optimizers to compare; may be repeated. [default: tpe]"),
    ] = None,
    warm_start: Annotated[
        list[str] | None,
        typer.Option(
            help="Warm starts to compare with `none`; may be repeated. [default: rules, model]"
        ),
    ] = None,
    adapter: options.Adapter = None,
    trials: Annotated[int, typer.Option(min=2, help="Search trials of each session.")] = 30,
    seeds: Annotated[int, typer.Option(min=1, help="Sessions of each kind.")] = 3,
    seed: options.Seed = 0,
    out: Annotated[Path, typer.Option(help="Folder for everything.")] = Path("out/compare"),
    json: options.Json = False,
) -> None:
    """Run cold and warm sessions in turn and draw their speed-up curves.

    Every session is kept in the folder; called again, finished ones are not repeated.
    """
    from llmtune.cli.bench import TargetRequest, WorkloadRequest, open_bench
    from llmtune.cli.comparing import Comparison, arms_of
    from llmtune.cli.progress import Reporter
    from llmtune.tuning.result import ready_folder

    arms = arms_of(optimizer or ["tpe"], ["none", *(warm_start or ["rules", "model"])])
    ready_folder(out)
    reporter = Reporter(quiet=json)
    target_request = TargetRequest(target, cores, memory, bindir)
    with open_bench(target_request, WorkloadRequest(workload, scale, seed), reporter) as bench:
        comparison = Comparison(bench, out, adapter, trials, reporter)
        comparison.run(arms, range(seed, seed + seeds))
    _report(comparison, out, as_json=json)


def _report(comparison: Comparison, out: Path, *, as_json: bool) -> None:
    from rich.console import Console

    from llmtune.cli.outcome import rich_table
    from llmtune.cli.output import print_json
    from llmtune.report.comparison_table import comparison_facts, comparison_table

    facts = comparison_facts(comparison.arms)
    comparison.write(facts)
    if as_json:
        print_json(facts)
        return
    Console().print(rich_table(comparison_table(facts)))
    Console().print(f"Curves: {out / 'curves.png'}   figures: {out / 'comparison.json'}")
