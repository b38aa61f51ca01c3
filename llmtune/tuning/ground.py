"""Where the search of a server that runs already begins, and how far it may go."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from llmtune.knobs.resolved import ResolvedKnob
from llmtune.knobs.space import KnobSpace


@dataclass(frozen=True, slots=True)
class Ground:
    """What a search sets out from, as people write it.

    Attributes:
        baseline: the setting of each knob.
        bounds: the lowest and the highest value of each knob on a scale, as `1 to 8`.
    """

    baseline: Mapping[str, str]
    bounds: Mapping[str, str]


def ground_of(space: KnobSpace) -> Ground | None:
    """Of the knobs of a server that runs already.

    None for one that is there to be measured: its version and hardware tell where it begins.
    """
    if space.present is None:
        return None
    scales = [knob for knob in space.knobs if not knob.knob.choices]
    return Ground(
        baseline={knob.name: knob.format(knob.baseline) for knob in space.knobs},
        bounds={knob.name: _bounds(knob) for knob in scales},
    )


def _bounds(knob: ResolvedKnob) -> str:
    return " to ".join(knob.format(knob.rounded(end)) for end in (knob.low, knob.high))
