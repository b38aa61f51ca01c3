"""Query evidence: trials as one row for each query, for models of single queries."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import exp, log, nan

import numpy as np
from numpy.typing import NDArray

from llmtune.knobs.configuration import Configuration
from llmtune.trial import Trial, TrialStatus
from optimizers.evidence import Evidence
from optimizers.query_rows import Rest, Row, Scale
from optimizers.space import Floats
from optimizers.surrogate import FLOOR
from workloads.objective import Objective


class QueryEvidence:
    """What the trials of one session say about each query under each configuration.

    A row's value is the log of the query's time over its time under the baseline, so
    that all queries can share one model. Queries count by their share of the
    baseline's total.
    """

    def __init__(
        self, weights: Mapping[str, float], objective: Objective, baseline: Configuration
    ) -> None:
        self._ids = tuple(weights)
        self._places = {query_id: place for place, query_id in enumerate(self._ids)}
        self._weights = np.array(list(weights.values()))
        self._baseline = baseline
        self._trials: list[Trial] = []
        self._evidence = Evidence(objective)
        self._known_scale: Scale | None = None

    def __len__(self) -> int:
        return len(self._trials)

    @property
    def trials(self) -> Sequence[Trial]:
        """All trials, in order."""
        return self._trials

    @property
    def points(self) -> Floats:
        """Where the trials were: shape (trials, knobs)."""
        return self._evidence.points

    def add(self, point: Floats, trial: Trial) -> None:
        """One more trial, and its knobs' positions."""
        self._trials.append(trial)
        self._evidence.add(point, trial)
        self._known_scale = None

    @property
    def reference(self) -> Floats:
        """Seconds of each query under the baseline, shape (queries,); guessed if unknown."""
        return self._scale.reference

    @property
    def shares(self) -> Floats:
        """Each query's share of the baseline's total, shape (queries,); they add up to 1."""
        return self._scale.shares

    @property
    def seconds(self) -> float:
        """The baseline's total."""
        return float(self.reference @ self._weights)

    @property
    def losses(self) -> Floats:
        """Each trial's loss over the baseline's, shape (trials,): see `Evidence.losses`."""
        return self._evidence.losses - self._baseline_loss

    @property
    def first_timed(self) -> Trial | None:
        """The first trial that succeeded and tells its queries' times, as old prior data do not."""
        return next((one for one in self._trials if one.succeeded and one.query_times), None)

    @property
    def heaviest_first(self) -> list[str]:
        """All ids, by how much of the total each query takes.

        `first_timed` decides, so the order stays the same from then on.
        """
        first = self.first_timed
        times = {} if first is None else self._times(first)
        amounts = [times.get(place, 0.0) * self._weights[place] for place in range(len(self._ids))]
        return [self._ids[place] for place in np.argsort(-np.array(amounts), kind="stable")]

    def shares_of(self, queries: Sequence[str]) -> Floats:
        """Some queries' shares of their own total under the baseline, shape (queries,)."""
        shares = self.shares[[self._places[query_id] for query_id in queries]]
        return np.asarray(shares / shares.sum(), dtype=np.float64)

    def rows(self, queries: Sequence[str]) -> list[Row]:
        """What each trial tells of `queries`, by their places among these."""
        places = {self._places[query_id]: place for place, query_id in enumerate(queries)}
        scale, bounds = self._scale, self._evidence.bounds - self._baseline_loss
        told = zip(self._trials, self.losses, bounds, strict=True)
        rows = (self._row(one, float(loss), float(bound), scale) for one, loss, bound in told)
        return [row.among(places) for row in rows]

    def rest(self, queries: Sequence[str]) -> Rest:
        """What the trials tell of the other queries, those that are not among `queries`.

        One that was stopped in one of `queries` does not tell: it was stopped for that one's
        sake, and did not come to all of the others.
        """
        others = np.array([one not in queries for one in self._ids])
        scale, losses = self._scale, self.losses
        share = float(scale.shares[others].sum())
        if not share:
            return Rest(0.0, np.full(len(self), nan))
        told = zip(self._trials, losses, strict=True)
        logs = [self._rest(trial, float(loss), others, scale) for trial, loss in told]
        return Rest(share, np.array(logs))

    def _row(self, trial: Trial, loss: float, bound: float, scale: Scale) -> Row:
        """What a trial tells of all queries.

        Without any times every query takes an equal part in the loss. Reused times tell
        nothing that earlier trials did not.
        """
        times = self._times(trial)
        if not times:
            return Row(list(range(len(self._ids))), np.full(len(self._ids), loss))
        amounts, reused = self._amounts(trial, bound, scale), self._reused(trial)
        told = [place for place in times if place not in reused]
        stopped = list(times)[-1] if trial.status is TrialStatus.CAPPED else None
        return Row(told, np.log(amounts[told] / scale.shares[told]), stopped)

    def _rest(self, trial: Trial, loss: float, others: NDArray[np.bool_], scale: Scale) -> float:
        """The log of the others' time over the baseline's, NaN where the trial does not tell."""
        times = list(self._times(trial))
        if not times:
            return loss
        if not trial.succeeded and not others[times[-1]]:
            return nan
        amounts = self._amounts(trial, loss, scale)
        return log(float(amounts[others].sum()) / float(scale.shares[others].sum()))

    def _amounts(self, trial: Trial, loss: float, scale: Scale) -> Floats:
        """What each query took of the baseline's total, shape (queries,).

        A trial that ended early tells the times of what it finished, and who ended it: all
        that its loss lies above those times is the doing of the query under way. Queries that
        it did not come to count as they do for the cap: as fast as they ever were.
        """
        times = self._times(trial)
        amounts = scale.amounts(times)
        if not trial.succeeded:
            amounts[list(times)[-1]] += max(0.0, exp(loss) - float(amounts.sum()))
        return amounts

    @property
    def _baseline_loss(self) -> float:
        """The baseline's median; that of all that was measured where it was not."""
        losses = self._evidence.losses
        measured = np.array(self._evidence.measured, dtype=bool)
        baseline = np.array([t.configuration == self._baseline for t in self._trials], dtype=bool)
        chosen = losses[measured & baseline] if (measured & baseline).any() else losses[measured]
        return float(np.median(chosen)) if chosen.size else 0.0

    @property
    def _scale(self) -> Scale:
        """What all trials tell of each query, worked out once for as many as there are."""
        if self._known_scale is None:
            self._known_scale = self._measured_scale()
        return self._known_scale

    def _measured_scale(self) -> Scale:
        seconds = self._complete(self._trials)
        reference = self._reference(seconds)
        amounts = reference * self._weights
        shares = np.asarray(amounts / amounts.sum(), dtype=np.float64)
        fastest = np.array([min(times, default=0.0) for times in seconds])
        return Scale(reference, shares, shares * np.maximum(fastest, FLOOR) / reference)

    def _reference(self, seconds: Sequence[Sequence[float]]) -> Floats:
        """Each query's median under the baseline, or of all; an ordinary one where none ended."""
        at_baseline = [t for t in self._trials if t.configuration == self._baseline]
        baseline, times = _medians(self._complete(at_baseline)), _medians(seconds)
        known = np.where(np.isnan(baseline), times, baseline)
        ordinary = 1.0 if np.isnan(known).all() else float(np.nanmedian(known))
        return np.maximum(np.where(np.isnan(known), ordinary, known), FLOOR)

    def _times(self, trial: Trial) -> dict[int, float]:
        """Seconds by the query's place, in the order in which they ran."""
        at = self._places
        return {at[t.query_id]: t.seconds for t in trial.query_times if t.query_id in at}

    def _reused(self, trial: Trial) -> set[int]:
        """The queries whose times come from earlier trials, by their place."""
        at = self._places
        return {at[t.query_id] for t in trial.query_times if t.reused and t.query_id in at}

    def _complete(self, trials: Sequence[Trial]) -> list[list[float]]:
        """Seconds of each query's runs that were measured and came to their end."""
        seen: list[list[float]] = [[] for _ in self._ids]
        for trial in trials:
            times, reused = list(self._times(trial).items()), self._reused(trial)
            for place, seconds in times if trial.succeeded else times[:-1]:
                if place not in reused:
                    seen[place].append(seconds)
        return seen


def _medians(seconds: Sequence[Sequence[float]]) -> Floats:
    """Of each query's runs, NaN where it has none."""
    return np.array([float(np.median(one)) if one else np.nan for one in seconds])
