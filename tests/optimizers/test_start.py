"""Where optimizers begin: on some of the baseline's axes, on fewer and on more."""

import numpy as np

from optimizers.start import start_point


def changed_axes(axes: int, draws: int = 400) -> list[int]:
    baseline = np.full(axes, 2.0)  # outside the cube, so that no draw is equal by chance
    rng = np.random.default_rng(0)
    points = [start_point(baseline, rng) for _ in range(draws)]
    inside = [point[point != 2.0] for point in points]
    assert all(((one >= 0) & (one <= 1)).all() for one in inside)
    return [len(one) for one in inside]


def test_at_least_one_axis_and_up_to_all_are_changed() -> None:
    counts = changed_axes(12)
    assert set(counts) == set(range(1, 13))
    assert abs(np.mean(counts) - 6.5) < 0.6


def test_a_space_of_one_knob_is_drawn_whole() -> None:
    assert set(changed_axes(1)) == {1}


def test_the_baseline_is_left_alone() -> None:
    baseline = np.zeros(5)
    start_point(baseline, np.random.default_rng(1))
    assert not baseline.any()
