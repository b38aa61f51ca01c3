"""What was tried is asked again only where nothing new is near, and no draw is made in vain."""

from itertools import count, islice

import numpy as np

from optimizers.redraws import REDRAWS, first_new, near, widths
from tests.optimizers.conformance import knob_space

SPACE = knob_space().subset(["work_mem"])


def configurations(drawn):
    """One after the other, noting how many were drawn."""
    for step in count(1):
        drawn.append(step)
        yield SPACE.configuration({"work_mem": 4096 + 64 * step})


def test_the_first_that_is_new_is_asked_and_nothing_is_drawn_behind_it():
    third = list(islice(configurations([]), 3))[-1]
    drawn = []
    known = set(islice(configurations([]), 2))
    assert first_new(configurations(drawn), known) == third
    assert drawn == [1, 2, 3]


def test_where_nothing_is_new_the_last_redraw_is_asked():
    known = list(islice(configurations([]), 2 * REDRAWS))
    drawn = []
    assert first_new(configurations(drawn), known) == known[REDRAWS]
    assert len(drawn) == 1 + REDRAWS


def test_redraws_go_ever_farther_from_a_level_to_beyond_the_axis():
    far = list(islice(widths(), REDRAWS))
    assert far == sorted(set(far))
    assert far[0] < 0.1
    assert far[-1] > 1.0


def test_points_near_one_begin_with_it_and_stay_in_the_cube():
    point = np.array([0.0, 0.5, 1.0])
    found = list(islice(near(point, np.random.default_rng(0)), 1 + REDRAWS))
    assert found[0] is point
    assert all(((one >= 0.0) & (one <= 1.0)).all() for one in found)
    assert 0 < np.abs(found[1] - point).max() < 0.3
    assert len({tuple(one) for one in found}) > REDRAWS / 2
