"""`llmtune suggest`: configurations from the plans and statistics alone."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from llmtune.cli import options
from llmtune.cli.grouped import grouped
from llmtune.cli.option_groups import ModelOptions, ServerOptions, WorkloadOptionGroup

if TYPE_CHECKING:
    from llmtune.tuning.result import KnobChange


class Format(StrEnum):
    """How a suggestion is printed."""

    CONF = "conf"
    SQL = "sql"
    JSON = "json"


@grouped
def suggest(
    server: ServerOptions,
    workload: WorkloadOptionGroup,
    model: ModelOptions,
    candidates: Annotated[
        int, typer.Option(min=1, help="How many configurations to draw from the model.")
    ] = 8,
    seed: options.Seed = 0,
    form: Annotated[
        Format | None,
        typer.Option(
            "--format",
            show_default="conf",
            help="`conf` and `sql` print the first, `json` all of them.",
        ),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="The same as `--format json`.")] = False,
) -> None:
    """Suggest configurations from the workload's plans and statistics, without running it.

    Nothing is changed, so with a server's address all its knobs are suggested, also those that
    take a restart or that only its provider may set.
    """
    from dataclasses import replace

    from llmtune.cli.bench import open_bench
    from llmtune.cli.progress import Reporter
    from llmtune.cli.safety import looking_on
    from llmtune.model.ready import ready_model
    from llmtune.model.suggest import suggested
    from llmtune.postgres.live.address import is_address
    from llmtune.postgres.live.reach import ChangesFor
    from llmtune.tuning.assemble import knob_changes

    options.check_json(form, json=json)
    form = Format.JSON if json else form or Format.CONF
    reporter = Reporter(quiet=form is Format.JSON)
    request = workload.request(seed, server.target)
    ready = ready_model(model.request(), reporter.say)
    safety = looking_on(reporter)
    ours = not is_address(server.target)
    target = replace(server.request(), changes_for=ChangesFor.NOBODY)
    with open_bench(target, request, reporter, safety, load=ours, measured=False) as bench:
        reporter.say("Asking the model ...")
        made = suggested(ready, bench, candidates, seed)
        changes = [knob_changes(configuration, bench.space) for configuration in made]
    _print(changes, form, bench.workload.name)


def _print(changes: list[tuple[KnobChange, ...]], form: Format, workload: str) -> None:
    from dataclasses import asdict

    from llmtune.cli.output import print_json
    from llmtune.report.export import conf, sql

    if form is Format.JSON:
        suggestions = [[asdict(change) for change in one] for one in changes]
        print_json({"workload": workload, "suggestions": suggestions})
    else:
        comment = f"Suggested by LLMTune for {workload}; not measured."
        text = (sql if form is Format.SQL else conf)(changes[0], comment)
        typer.echo(text, nl=False)
