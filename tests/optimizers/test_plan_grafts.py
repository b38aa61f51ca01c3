"""Grafts: what helps one query is found in a donor, and little else is taken over."""

import numpy as np
import pytest

from llmtune.knobs.configuration import Configuration
from optimizers.plan_grafts import HELPED, PARTS, Grafts

KNOBS = [f"k{number}" for number in range(12)]
STOCK = Configuration(dict.fromkeys(KNOBS, 0))
DONOR = Configuration(dict.fromkeys(KNOBS, 1))


def helped_by(*knobs):
    """A query that takes a tenth of its time where all these knobs are as the donor has them."""
    return lambda one: 0.1 if all(one[knob] == 1 for knob in knobs) else 1.0


def grafts(*queries, project=lambda one: one, asked=None):
    """Of one donor; `asked` notes each configuration and query that is looked at."""

    def times_of(ones, place):
        if asked is not None:
            asked.extend((one, place) for one in ones)
        return np.array([queries[place](one) for one in ones])

    times = np.array([[query(DONOR) for query in queries]])
    return Grafts([DONOR], times, times_of, project)


def onto_stock(made, *queries, seed=0):
    times = np.array([query(STOCK) for query in queries])
    return made.onto(STOCK, times, np.random.default_rng(seed))


def changed(one):
    return set(one.changes(STOCK))


@pytest.mark.parametrize("seed", range(5))
def test_a_graft_is_the_smallest_part_that_helps(seed):
    query = helped_by("k3")
    asked = []
    (graft,) = onto_stock(grafts(query, asked=asked), query, seed=seed)
    helping = [changed(one) for one, _ in asked if query(one) == 0.1]
    assert query(graft) == 0.1
    assert len(changed(graft)) == min(map(len, helping))


def test_queries_are_helped_each_by_itself_and_together():
    queries = helped_by("k1"), helped_by("k7")
    *each, both = onto_stock(grafts(*queries), *queries, seed=1)
    assert [min(query(one) for one in each) for query in queries] == [0.1, 0.1]
    assert [query(both) for query in queries] == [0.1, 0.1]
    assert changed(both) == set.union(*map(changed, each))


def test_what_no_donor_betters_is_left_alone():
    def best_as_it_is(one):
        return 0.5 + sum(one.values())

    asked = []
    made = grafts(best_as_it_is, asked=asked)
    assert onto_stock(made, best_as_it_is) == [STOCK]
    assert asked == []


def test_the_queries_that_gain_most_are_looked_at_and_no_more():
    def gaining(seconds):
        return lambda one: 10.0 - seconds * one["k0"]

    queries = [gaining(seconds) for seconds in range(1, HELPED + 4)]
    asked = []
    onto_stock(grafts(*queries, asked=asked), *queries)
    assert {place for _, place in asked} == set(range(3, HELPED + 3))
    assert len(asked) == HELPED * PARTS


def test_every_part_may_be_applied():
    def without_k3(one):
        return Configuration({**one, "k3": 0})

    query = helped_by("k3")
    asked = []
    onto_stock(grafts(query, project=without_k3, asked=asked), query)
    assert asked
    assert all(one["k3"] == 0 for one, _ in asked)
