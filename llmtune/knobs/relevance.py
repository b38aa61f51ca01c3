"""Which knobs can matter to a kind of workload at all."""

from __future__ import annotations

from llmtune.knobs.resolved import ResolvedKnob
from llmtune.knobs.space import KnobSpace

READ_GROUPS = frozenset({"memory", "planner", "parallel", "joins", "io"})
"""Groups that act on statements which only read. WAL, checkpoints, the background
writer and autovacuum have nothing to do under such a workload: their knobs would
cost trials and restarts, and any gain they seem to bring is noise."""

NOT_WHILE_READING = ("maintenance_", "max_parallel_maintenance_", "temp_buffers")


def relevant(space: KnobSpace, kind: str, *, jit: bool) -> KnobSpace:
    """The part of `space` that a workload of this kind responds to.

    Args:
        kind: `analytic` (only reads) or `mixed`.
        jit: whether the server can compile expressions; without it the jit knobs
            do nothing.
    """
    # A knob that acts through ANALYZE only does nothing: a trial does not run that.
    acting = (knob for knob in space.knobs if not knob.knob.analyze)
    names = [knob.name for knob in acting if jit or not knob.name.startswith("jit")]
    if kind == "analytic":
        names = [name for name in names if _acts_on_reads(space[name])]
    return space.subset(names)


def _acts_on_reads(resolved: ResolvedKnob) -> bool:
    knob = resolved.knob
    return knob.group in READ_GROUPS and not knob.name.startswith(NOT_WHILE_READING)
