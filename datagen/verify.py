"""Measure chosen labels again: the luckiest of many single runs is seldom the best.

A label is the minimum over many noisy measurements, so its own time is too good to
be true. Repeating it and labelling anew from the means lets the lucky ones fall back.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence

from datagen.label import Label, Labeller
from datagen.plan import Candidate
from llmtune.knobs.space import KnobSpace

VERIFIED = "verified"


def next_to_verify(
    labeller: Labeller, space: KnobSpace, mixes: Sequence[Mapping[str, float]]
) -> Candidate | None:
    """The label that most mixes choose for the number of runs it rests on.

    None when every mix's label is the default, which is repeated anyway.
    """
    chosen = [label for label in map(labeller.label, mixes) if label.changes]
    labels, votes = {_key(label): label for label in chosen}, Counter(map(_key, chosen))
    if not labels:
        return None
    # Squared: a few well-proven labels are worth less than many proven once more.
    wanted = max(labels, key=lambda key: votes[key] / labels[key].repeats ** 2)
    return Candidate(VERIFIED, space.from_default(labels[wanted].changes))


def _key(label: Label) -> str:
    return json.dumps(dict(label.changes), sort_keys=True)
