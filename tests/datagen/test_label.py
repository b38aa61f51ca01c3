from dataclasses import replace
from statistics import fmean

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from datagen.label import Labeller
from datagen.matrix import Matrix
from llmtune.errors import DatasetError
from llmtune.trial import TrialStatus

NAN = float("nan")
SECONDS = st.lists(st.floats(0.1, 10) | st.just(NAN), min_size=2, max_size=2)
CHANGES = st.dictionaries(st.sampled_from(["a", "b", "c"]), st.just(1), min_size=1)
ROWS = st.lists(st.tuples(CHANGES, SECONDS), max_size=8)
WEIGHTS = st.fixed_dictionaries({"q1": st.floats(0.1, 10), "q2": st.floats(0.1, 10)})
LAW = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])


def by_hand(rows, weights):
    """Changes of each configuration whose repeats all ran, with its mean total."""
    repeats = {}
    for changes, (one, two) in rows:
        total = weights["q1"] * one + weights["q2"] * two
        repeats.setdefault(tuple(sorted(changes)), []).append(total)
    return {names: fmean(totals) for names, totals in repeats.items() if fmean(totals) > 0}


@given(ROWS, WEIGHTS, st.floats(0, 0.5))
@LAW
def test_it_is_near_the_best_with_the_fewest_changes(make_matrix, rows, weights, tolerance):
    rows = [({}, [1.0, 1.0]), *rows]
    label = Labeller(make_matrix(rows), tolerance).label(weights)
    known = by_hand(rows, weights)
    chosen = tuple(sorted(label.changes))
    assert label.seconds == pytest.approx(known[chosen])
    limit = min(known.values()) * (1 + tolerance)
    assert label.seconds <= limit * (1 + 1e-9)
    near = [len(names) for names, seconds in known.items() if seconds < limit * (1 - 1e-9)]
    assert len(chosen) <= min(near, default=3)
    assert label.default_seconds == pytest.approx(weights["q1"] + weights["q2"])
    assert label.ratio * (1 + tolerance) >= 1 - 1e-9


@given(ROWS, WEIGHTS, st.sampled_from([0.25, 2.0, 8.0]))
@LAW
def test_only_the_proportions_of_the_weights_count(make_matrix, rows, weights, factor):
    labeller = Labeller(make_matrix([({}, [1.0, 1.0]), *rows]), 0.01)
    label = labeller.label(weights)
    scaled = labeller.label({name: weight * factor for name, weight in weights.items()})
    assert scaled.changes == label.changes
    assert scaled.ratio == pytest.approx(label.ratio)


@given(st.permutations(range(5)))
@LAW
def test_the_order_of_the_runs_does_not_count(make_matrix, order):
    rows = [({}, [2.0]), ({"a": 1}, [1.0]), ({"b": 1}, [1.2]), ({}, [4.0]), ({"a": 1}, [2.0])]
    label = Labeller(make_matrix([rows[place] for place in order]), 0.0).label({"q1": 1.0})
    assert (label.changes, label.seconds, label.default_seconds) == ({"b": 1}, 1.2, 3.0)


def test_repeats_are_averaged_and_counted(make_matrix):
    matrix = make_matrix([({}, [9.0]), ({"a": 1}, [1.0]), ({"a": 1}, [2.0]), ({"a": 1}, [3.0])])
    label = Labeller(matrix, 0.0).label({"q1": 1.0})
    assert (label.seconds, label.repeats, label.ratio) == (2.0, 3, 4.5)


def test_a_repeat_that_was_never_applied_takes_nothing_away(make_matrix):
    matrix = make_matrix([({}, [4.0]), ({"a": 1}, [1.0]), ({"a": 1}, [NAN]), ({"b": 1}, [NAN])])
    assert Labeller(matrix).label({"q1": 1.0}).changes == {}, "a run that failed does"
    refused = Matrix(matrix.header, [*matrix.runs[:2], *map(rejected, matrix.runs[2:])])
    label = Labeller(refused).label({"q1": 1.0})
    assert (label.changes, label.seconds, label.repeats) == ({"a": 1}, 1.0, 1)


def rejected(run):
    outcomes = (replace(one, status=TrialStatus.REJECTED) for one in run.outcomes)
    return replace(run, outcomes=tuple(outcomes))


def test_a_gain_within_the_tolerance_changes_nothing(make_matrix):
    matrix = make_matrix([({}, [1.0]), ({"a": 1, "b": 1}, [0.98])])
    assert Labeller(matrix, 0.05).label({"q1": 1.0}).changes == {}
    assert Labeller(matrix, 0.01).label({"q1": 1.0}).changes == {"a": 1, "b": 1}


def test_a_failure_counts_only_in_mixes_with_its_query(make_matrix):
    matrix = make_matrix([({}, [1.0, 1.0]), ({"a": 1}, [0.5, NAN])])
    labeller = Labeller(matrix, 0.01)
    assert labeller.label({"q1": 1.0}).changes == {"a": 1}
    assert labeller.label({"q1": 1.0, "q2": 0.1}).changes == {}


def test_a_default_that_once_failed_still_compares(make_matrix):
    matrix = make_matrix([({}, [4.0]), ({}, [NAN]), ({"a": 1}, [1.0])])
    assert Labeller(matrix, 0.01).label({"q1": 1.0}).ratio == 4.0


def test_a_matrix_without_the_default_has_no_labels(make_matrix):
    with pytest.raises(DatasetError, match="default configuration"):
        Labeller(make_matrix([({"a": 1}, [1.0])]), 0.01)
