"""Label a mix: the best configuration among those really measured.

A mix's time under a run is composed from the matrix: a weighted sum of its queries'
times, so that what is measured once labels any number of mixes. Runs that repeat one
configuration are averaged, and of all configurations within the tolerance of the best,
the one with the fewest changes from default is the label: a change that gains next to
nothing is not worth learning.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from datagen.matrix import Matrix, Run
from llmtune.knobs.configuration import Value

TOLERANCE = 0.03
"""Relative difference in a mix's time for which a label does not change one knob more. Single
runs differ by more; but within all of their noise hardly a label would differ from the
default, and what only luck chose is found out by repeats (`datagen.verify`)."""


@dataclass(frozen=True, slots=True)
class Label:
    """The configuration chosen for one mix.

    Attributes:
        changes: the label, as changes from the default.
        seconds, default_seconds: composed weighted totals of the mix.
        repeats: how many runs of the configuration `seconds` is the mean of.
    """

    changes: Mapping[str, Value]
    seconds: float
    default_seconds: float
    repeats: int

    @property
    def ratio(self) -> float:
        """How many times faster than the default."""
        return self.default_seconds / self.seconds


class Labeller:
    """Finds labels in one matrix."""

    def __init__(self, matrix: Matrix, tolerance: float = TOLERANCE) -> None:
        """Take the matrix and the relative difference in time that does not count.

        Raises:
            DatasetError: the matrix has no complete run of the default configuration.
        """
        self._matrix = matrix
        self._tolerance = tolerance
        changed = [rows for rows in _repeats(matrix.runs) if matrix.runs[rows[0]].changes]
        self._groups = [list(matrix.default_rows), *changed]

    def label(self, weights: Mapping[str, float]) -> Label:
        """The label of the mix with these query weights."""
        labels = self._candidates(weights)
        known = [label for label in labels if np.isfinite(label.seconds)]
        limit = min(label.seconds for label in known) * (1 + self._tolerance)
        near = [label for label in known if label.seconds <= limit]
        best = min(near, key=lambda label: (len(label.changes), label.seconds))
        return replace(best, default_seconds=labels[0].seconds)

    def _candidates(self, weights: Mapping[str, float]) -> list[Label]:
        """One for each configuration, the default's first; NaN seconds where a query failed."""
        totals = self._matrix.totals(weights)
        runs = self._matrix.runs
        return [
            Label(runs[rows[0]].changes, float(np.mean(totals[rows])), float("nan"), len(rows))
            for rows in self._groups
        ]


def _repeats(runs: tuple[Run, ...]) -> Iterable[list[int]]:
    """Row indexes of the runs under the same configuration, but those that never got it."""
    groups: dict[str, list[int]] = defaultdict(list)
    for row, run in enumerate(runs):
        if run.rejected:
            continue
        groups[json.dumps(run.changes, sort_keys=True)].append(row)
    return groups.values()
