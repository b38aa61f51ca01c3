"""`llmtune doctor`: what can be tuned on a server, and whether all that it takes is here."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import typer

from llmtune.cli import options, server_options
from llmtune.cli.grouped import grouped
from llmtune.cli.option_groups import RestartOptions

if TYPE_CHECKING:
    from llmtune.cli.health import Finding
    from llmtune.postgres.dsn import DsnTarget
    from llmtune.postgres.live.report import ServerReport
    from llmtune.tuning.requests import TargetRequest


@grouped
def doctor(
    restart: RestartOptions,
    target: server_options.Target = "embedded",
    cores: server_options.Cores = None,
    memory: server_options.Memory = None,
    allow_standby: server_options.AllowStandby = False,
    json: options.Json = False,
) -> None:
    """Check this installation and, with an address, what can be tuned there.

    Nothing is changed. The exit status is 0 if tuning is possible. Else it is 1, and the
    output says what to mend.
    """
    from llmtune.cli.health import findings
    from llmtune.cli.output import print_json
    from llmtune.tuning.requests import TargetRequest

    request = TargetRequest(target, cores, memory, None, restart.request())
    report, refusals = _inspected(request, allow_standby=allow_standby)
    found = list(findings(target))
    problems = [*_missing(found), *refusals]
    if json:
        print_json(_facts(found, report, problems))
    else:
        _show(found, report, problems)
    if problems:
        raise typer.Exit(1)


def _inspected(
    request: TargetRequest, *, allow_standby: bool
) -> tuple[ServerReport | None, list[str]]:
    """The report of the server behind an address, and why `tune` would refuse it.

    None for a target of our own.
    """
    from llmtune.cli.progress import Reporter
    from llmtune.cli.safety import looking_on
    from llmtune.cli.targets import live_target, open_target
    from llmtune.postgres.live.address import is_address

    if is_address(request.target):
        server = live_target(request)
        server.inspect()
        looking_on(Reporter()).warn(server)
        return server.report, list(_refusals(server, allow_standby=allow_standby))
    open_target(request)  # only to refuse what is no target; it is not started
    return None, []


def _refusals(server: DsnTarget, *, allow_standby: bool) -> Iterator[str]:
    from llmtune.errors import LLMTuneError

    yield from server.report.problems
    if server.report.standby and not allow_standby:
        yield "the server is a standby; --allow-standby tunes it nevertheless"
    try:
        server.check_restarter()
    except LLMTuneError as error:
        yield str(error)


def _missing(found: list[Finding]) -> list[str]:
    return [f"{one.what}: {one.detail}" for one in found if one.needed and not one.fine]


def _facts(
    found: list[Finding], report: ServerReport | None, problems: list[str]
) -> dict[str, Any]:
    from dataclasses import asdict

    from llmtune.cli.server_report import report_json

    return {
        "possible": not problems,
        "problems": problems,
        "installation": [asdict(one) for one in found],
        "server": None if report is None else report_json(report),
    }


def _show(found: list[Finding], report: ServerReport | None, problems: list[str]) -> None:
    from llmtune.cli.output import print_table, print_text
    from llmtune.cli.server_report import summary, tables
    from llmtune.report.table import Table

    if report is not None:
        for table in tables(report):
            print_table(table)
            print_text("")
        for line in summary(report):
            print_text(line)
        print_text("")
    rows = ((one.what, _verdict(one), one.detail) for one in found)
    print_table(Table(("here", "", "found"), tuple(rows)))
    print_text("")
    for problem in problems:
        print_text(f"To mend: {problem}", "red")
    if not problems:
        print_text("Tuning is possible.", "green")


def _verdict(finding: Finding) -> str:
    if finding.fine:
        return "fine"
    return "missing" if finding.needed else "not here"
