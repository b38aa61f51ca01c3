"""`llmtune compare`: optimizers and warm starts against each other, over seeds."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from llmtune.cli import options, server_options
from llmtune.cli.grouped import grouped
from llmtune.cli.option_groups import ModelOptions, ServerOptions, WorkloadOptionGroup

if TYPE_CHECKING:
    from llmtune.benchmark.cheap import CheapTrials

COMPARISON = "Comparison"
FINAL_RUNS = 3

OF_A_SERVER = frozenset(
    one.name for group in (ServerOptions, WorkloadOptionGroup) for one in fields(group)
) | {"spare", "final_runs", "storage"}
"""Options that say what to open and how to run it."""

OF_STORED = frozenset({"sessions", "store", "out", "yes", "json"})
"""All that means something to sessions that were run before."""


@grouped
def compare(
    context: typer.Context,
    server: ServerOptions,
    workload: WorkloadOptionGroup,
    model: ModelOptions,
    storage: server_options.Storage = None,
    optimizer: Annotated[
        list[str] | None,
        typer.Option(
            rich_help_panel=COMPARISON,
            show_default="tpe",
            help="Optimizers to compare, such as `tpe` or `random`; may be repeated.",
        ),
    ] = None,
    warm_start: Annotated[
        list[str] | None,
        typer.Option(
            rich_help_panel=COMPARISON,
            show_default="rules, model; with --recorded none",
            help="Warm starts to compare with `none`: `model`, `rules`, `constant`, `nearest`, "
            "`surrogate`, a JSON file of configurations, or several with commas between them; "
            "may be repeated.",
        ),
    ] = None,
    keep_knobs: Annotated[
        int | None,
        typer.Option(
            "--keep-knobs",
            min=1,
            metavar="K",
            rich_help_panel=COMPARISON,
            help="Compare also searches that go on with the K knobs that mattered most in the "
            "first trials, see --after.",
        ),
    ] = None,
    after: Annotated[
        int | None,
        typer.Option(
            "--after",
            metavar="N",
            rich_help_panel=COMPARISON,
            show_default="20",
            help="Trials before --keep-knobs decides which knobs it keeps.",
        ),
    ] = None,
    prior: Annotated[
        str | None,
        typer.Option(
            rich_help_panel=COMPARISON,
            help="Also compare a start from the trials of this stored session, or of several, with "
            "commas between them.",
        ),
    ] = None,
    recorded: Annotated[
        str | None,
        typer.Option(
            rich_help_panel=COMPARISON,
            help="Ask a recorded benchmark instead of a server: `tpch`, or a folder of `llmtune "
            "datagen`. Its values are predicted, not measured.",
        ),
    ] = None,
    sessions: Annotated[
        list[str] | None,
        typer.Option(
            rich_help_panel=COMPARISON,
            help="Run nothing. Compare these stored sessions: ids with commas, or repeat the "
            "option.",
        ),
    ] = None,
    store: options.Store = None,
    trials: Annotated[int, typer.Option(min=2, help="Search trials of each session.")] = 30,
    seeds: Annotated[
        int, typer.Option(min=1, help="Sessions of each kind. Their seeds count up from --seed.")
    ] = 3,
    seed: options.Seed = 0,
    spare: options.Spare = None,
    final_runs: Annotated[
        int | None,
        typer.Option(
            min=0,
            rich_help_panel=COMPARISON,
            show_default=str(FINAL_RUNS),
            help="How often each session's best configuration is measured again at the end, in "
            "full and in turns: the best of many single runs is also the luckiest. 0: not at all.",
        ),
    ] = None,
    jobs: Annotated[
        int,
        typer.Option(
            min=1, help="Sessions that run at once, with --recorded. It changes no value."
        ),
    ] = 1,
    out: Annotated[Path, typer.Option(help="Folder for all its files.")] = Path("out/compare"),
    yes: options.Yes = False,
    json: options.Json = False,
) -> None:
    """Compare cold and warm sessions, and draw their speed-up curves.

    On a server the sessions take turns, a trial each, so that drift hits all alike. Then the
    best configuration of each is measured again in full, in turns too.
    Every session is kept in the folder. Called again, the command goes on where it stopped.
    """
    from llmtune.cli import comparison_sources
    from llmtune.cli.bench import open_bench
    from llmtune.cli.comparison_files import finish_comparison
    from llmtune.cli.kept_queries import found_again
    from llmtune.cli.progress import Reporter
    from llmtune.cli.safety import own_safety
    from llmtune.cli.search_options import chosen_narrowing
    from llmtune.errors import UsageError
    from llmtune.tuning.result_file import ready_folder
    from optimizers.registry import looks_at_plans

    _check_given(context)
    reporter = Reporter(quiet=json)
    if sessions:
        ready_folder(out)
        figures = comparison_sources.stored(sessions, store)
        finish_comparison(out, figures, as_json=json)
        return
    if seed + seeds - 1 > options.MOST_SEED:
        raise UsageError(f"--seed and --seeds together go beyond {options.MOST_SEED}")
    wanted = comparison_sources.Wanted(
        optimizers=tuple(optimizer or ["tpe"]),
        warm_starts=tuple(warm_start or ([] if recorded else ["rules", "model"])),
        prior=prior,
        store=store,
        model=model.request(),
        trials=trials,
        seeds=range(seed, seed + seeds),
        out=out,
        cheap=_savings(spare),
        final_runs=FINAL_RUNS if final_runs is None else final_runs,
        narrowing=chosen_narrowing(keep_knobs, after, trials),
    )
    arms = comparison_sources.checked_arms(wanted, reporter)
    if recorded:
        figures = comparison_sources.recorded(recorded, wanted, arms, jobs, reporter)
        finish_comparison(out, figures, as_json=json)
        return
    ready_folder(out)
    target, asked = server.request(storage=storage), workload.request(seed, server.target)
    safety = own_safety("compare", reporter, yes=yes)
    found = found_again(asked, out, reporter)
    plans = any(map(looks_at_plans, wanted.optimizers))
    with open_bench(target, found, reporter, safety, queries_only=plans) as bench:
        figures = comparison_sources.live(bench, (target, asked), wanted, arms, reporter)
    finish_comparison(out, figures, as_json=json)


def _savings(spare: str | None) -> CheapTrials:
    """What search trials may leave out.

    Raises:
        UsageError: there is no such saving, or none for sessions that take turns.
    """
    from llmtune.benchmark.cheap import ALL_SAVINGS, parse_savings
    from llmtune.errors import UsageError

    chosen = parse_savings(spare or "all")
    if chosen.save_restarts and chosen != ALL_SAVINGS:
        raise UsageError(
            "--spare: leave out restarts; the sessions take turns on the server, so each finds "
            "another one's settings in force and has its restart anyway"
        )
    return chosen


def _check_given(context: typer.Context) -> None:
    """Refuse what would not be looked at: else something else is compared than was asked for."""
    from llmtune.cli.given import given, refuse

    asked = given(context)
    if "sessions" in asked:
        refuse(context, set(asked) - OF_STORED, "--sessions runs nothing")
    elif "recorded" in asked:
        refuse(context, OF_A_SERVER, "a recorded benchmark asks no server and runs nothing")
    else:
        refuse(context, {"jobs"}, "on a server the sessions take turns")
    if not {"sessions", "prior"} & set(asked):
        where = "a comparison keeps its sessions in the folder --out"
        refuse(context, {"store"}, f"{where}; --prior and --sessions alone look into a store")
