import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmtune.benchmark.noise import Noise

SECONDS = st.floats(1e-3, 1e3)


def test_equal_repeats_have_no_noise():
    assert Noise.of([2.0, 2.0, 2.0]).resolution == 0


def test_resolution_by_hand():
    # The log of the values is 0 and 0.1: a standard deviation of 0.1 / sqrt(2).
    noise = Noise.of([1.0, 2.718281828459045**0.1])
    assert noise.log_sd == pytest.approx(0.1 / 2**0.5)
    assert noise.resolution == pytest.approx(2.718281828459045**0.196 - 1)


@given(st.lists(SECONDS, min_size=2, max_size=6), st.floats(0.1, 10))
def test_it_does_not_depend_on_the_unit(values, factor):
    scaled = Noise.of([value * factor for value in values])
    assert scaled.log_sd == pytest.approx(Noise.of(values).log_sd, abs=1e-9)


@pytest.mark.parametrize("values", [[], [1.0]])
def test_it_takes_two_repeats(values):
    with pytest.raises(ValueError, match="at least two"):
        Noise.of(values)
