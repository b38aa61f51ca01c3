"""Ranking suggestions: the model proposes, the plans dispose.

A surrogate fitted on the measurements that came with the adapter predicts, from
what-if plans alone, how long each query would take under a suggestion.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from datagen.measurements import MEASUREMENTS_FILE, read_measurements
from llmtune.postgres.profile import Profile


class Ranker:
    """Predicts a workload's time under a configuration, relative to the default."""

    def __init__(self, adapter: Path, feature_names: Sequence[str]) -> None:
        """Fit the surrogate; takes about a second.

        Args:
            adapter: the folder that holds the measurements.
            feature_names: of the vectors that `ratio` will be given.

        Raises:
            DatasetError: the measurements are missing or damaged.
        """
        measurements = read_measurements(adapter / MEASUREMENTS_FILE)
        self._surrogate, self._places = measurements.surrogate(feature_names)

    def ratio(self, profile: Profile, features: Mapping[str, Sequence[float]]) -> float:
        """Predicted total over the default's total; below 1 is faster.

        How much each query counts is its weight times the planner's cost for it:
        its real default time is not known before anything has run.

        Args:
            features: one vector for each query id of the profile.
        """
        rows = np.array([features[query.query_id] for query in profile.queries])
        ratios = self._surrogate.predict(rows[:, self._places])
        return float(np.average(ratios, weights=[query.cost for query in profile.queries]))
