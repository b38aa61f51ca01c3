"""Which knobs can be changed on a target, and what they are where its queries run."""

from __future__ import annotations

from llmtune.knobs.catalogue import check, load_catalogue
from llmtune.knobs.space import KnobSpace, resolve_space
from llmtune.postgres.dsn import DsnTarget
from llmtune.postgres.live.present import read_present
from llmtune.postgres.server_settings import settings_rows
from llmtune.postgres.target import Target


def tunable_space(target: Target, *, durability: bool) -> KnobSpace:
    """The knobs that can be changed on the target.

    Args:
        durability: those too that risk committed data.

    Raises:
        TargetError: this role can change none.
        CatalogueMismatch: the catalogue does not describe this server.
    """
    catalogue = load_catalogue()
    space = resolve_space(catalogue, target.version, target.hardware, durability=durability)
    if isinstance(target, DsnTarget):
        return target.tunable(space)  # without those that its server describes otherwise
    with target.connect() as connection:
        check(catalogue, target.version, settings_rows(connection))
    if target.can_restart:
        return space
    return space.subset([knob.name for knob in space.knobs if knob.effect != "restart"])


def present_in(space: KnobSpace, target: Target, database: str) -> KnobSpace:
    """`space` with what sessions in this database have now, which need not be the address's."""
    if not isinstance(target, DsnTarget):
        return space
    with target.connect(database) as connection:
        found = read_present(connection, target.report.present)
    there = {name: one.value for name, one in found.items()}
    choices = {knob.name: knob.knob.choices for knob in space.knobs}
    known = [name for name, some in choices.items() if not some or there[name] in some]
    return space.subset(known).running(there)
