"""When TuRBO's trust region grows, shrinks and begins again."""

import numpy as np

from optimizers.turbo import LEAST_GAIN, TrustRegion, region_after

AXES = 24
"""So many that four failures in a row shrink the region."""
WHOLE = TrustRegion().length


def length(start, losses):
    """The region's side when trials with these losses follow a start with those."""
    return region_after(np.array([*start, *losses]), len(start), AXES).length


def test_three_successes_in_a_row_double_it():
    assert length([0.0], [-0.1, -0.2]) == WHOLE
    assert length([0.0], [-0.1, -0.2, -0.3]) == 2 * WHOLE
    assert length([0.0], [-0.1, -0.2, -0.2, -0.3]) == WHOLE


def test_a_success_is_better_than_every_trial_before_it():
    """Also than the first ones of the start, which may end with a bad draw."""
    assert length([0.0, -0.4, 0.8], [0.5, 0.3, 0.1]) == WHOLE
    assert length([0.0, -0.4, 0.8], [0.5, 0.3, 0.1, -0.3]) == WHOLE / 2
    assert length([0.0, -0.4, 0.8], [-0.5, -0.6, -0.7]) == 2 * WHOLE


def test_a_gain_too_small_to_count_is_a_failure():
    assert length([0.0], -LEAST_GAIN / 2 * np.arange(1, 5)) == WHOLE / 2


def test_failures_in_a_row_halve_it_until_it_begins_again():
    worse = [1.0] * 4
    assert length([0.0], worse[1:]) == WHOLE
    assert length([0.0], worse) == WHOLE / 2
    assert length([0.0], [*worse[1:], -0.1, *worse[1:]]) == WHOLE
    assert length([0.0], worse * 6) == WHOLE / 2**6
    assert length([0.0], worse * 7) == WHOLE
    assert region_after(np.array([0.0, *worse]), 1, 8 * AXES).length == WHOLE


def test_it_does_not_outgrow_the_cube_by_far():
    assert length([0.0], -0.1 * np.arange(1, 10)) == TrustRegion.LARGEST
