import pytest

from datagen.label import Labeller
from datagen.verify import VERIFIED, next_to_verify

ONE, TWO = {"q1": 1.0}, {"q2": 1.0}
LOW, HIGH = {"work_mem": 512}, {"work_mem": 8192}


@pytest.fixture
def chosen(make_matrix, space):
    """The changes to measure again for these mixes after these runs."""

    def choose(rows, mixes):
        candidate = next_to_verify(Labeller(make_matrix(rows), 0.01), space, mixes)
        if candidate is None:
            return None
        assert candidate.source == VERIFIED
        return candidate.configuration.changes(space.default())

    return choose


def test_on_a_server_with_settings_of_its_own_the_label_is_verified_as_it_was_measured(
    make_matrix, live
):
    labeller = Labeller(make_matrix([({}, [9.0]), ({"enable_nestloop": False}, [1.0])]), 0.01)
    candidate = next_to_verify(labeller, live, [ONE])
    assert dict(candidate.configuration) == {**live.default(), "enable_nestloop": False}


def test_the_label_of_most_mixes_comes_first(chosen):
    rows = [({}, [9.0, 9.0]), (LOW, [1.0, 9.0]), (HIGH, [9.0, 1.0])]
    assert chosen(rows, [ONE, TWO, TWO]) == HIGH
    assert chosen(rows, [ONE, ONE, TWO]) == LOW


def test_what_was_measured_often_can_wait(chosen):
    rows = [({}, [9.0, 9.0]), (LOW, [1.0, 9.0]), *[(HIGH, [9.0, 1.0])] * 2]
    assert chosen(rows, [ONE, TWO, TWO]) == LOW


def test_the_default_is_not_verified(chosen):
    assert chosen([({}, [1.0, 1.0]), (LOW, [2.0, 2.0])], [ONE, TWO]) is None


def test_a_lucky_run_falls_back_when_it_is_measured_again(chosen):
    lucky = [({}, [9.0]), (LOW, [1.0]), (HIGH, [2.0])]
    assert chosen(lucky, [ONE]) == LOW
    assert chosen([*lucky, (LOW, [9.0])], [ONE]) == HIGH
