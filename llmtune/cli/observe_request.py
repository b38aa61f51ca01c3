"""What the user asked for by `--observe`, checked before any server is touched."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, fields

from llmtune.benchmark.observe_window import WindowOptions
from llmtune.cli.given import flag
from llmtune.cli.observe_options import ObserveOptions, parse_percent
from llmtune.cli.option_groups import WorkloadOptionGroup
from llmtune.errors import UsageError
from llmtune.postgres.live.address import is_address
from llmtune.tuning.requests import TargetRequest
from llmtune.units import parse_duration

NEVER_RUN = frozenset(one.name for one in fields(WorkloadOptionGroup))
"""Options that say what to run."""


@dataclass(frozen=True, slots=True)
class ObserveRequest:
    """How the user wants the traffic to be watched.

    Attributes:
        seed: draws the constants of statements that are planned.
        knobs: of a session that goes on; None: all that can matter.
        reference_ms: the value of the original settings in that session.
    """

    windows: WindowOptions
    seed: int = 0
    knobs: tuple[str, ...] | None = None
    reference_ms: float | None = None


def observe_request(
    options: ObserveOptions, target: TargetRequest, seed: int, given: Collection[str]
) -> ObserveRequest | None:
    """How to watch; None: the user did not ask for that.

    Args:
        given: names of the options that the user gave.

    Raises:
        UsageError: an option goes without watching, or with nothing else.
    """
    ours = {each.name: getattr(options, each.name) for each in fields(options)}
    if not ours.pop("observe"):
        alone = [name for name, value in ours.items() if value is not None]
        if alone:
            raise UsageError(f"{flag(alone[0])} goes with --observe")
        return None
    _check(target, given)
    return ObserveRequest(_windows(options), seed)


def _windows(options: ObserveOptions) -> WindowOptions:
    default = WindowOptions()
    return WindowOptions(
        window_s=default.window_s if options.window is None else parse_duration(options.window),
        settle_s=default.settle_s if options.settle is None else parse_duration(options.settle),
        min_calls=options.min_calls or default.min_calls,
        rollback=(
            default.rollback if options.rollback_at is None else parse_percent(options.rollback_at)
        ),
        baseline_every=options.baseline_every or default.baseline_every,
    )


def _check(target: TargetRequest, given: Collection[str]) -> None:
    runs = sorted(NEVER_RUN.intersection(given))
    if runs:
        raise UsageError(
            f"{flag(runs[0])} says what to run, and --observe runs nothing: it watches the "
            "server's own traffic; leave out one of the two"
        )
    if not is_address(target.target):
        raise UsageError("--observe goes with the address of a server that has traffic")
    if target.restart.allow:
        raise UsageError("--observe never restarts the server: leave out --allow-restart")
