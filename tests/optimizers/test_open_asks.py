"""Open asks are struck off one by one, and decide with the tells what is drawn next."""

from optimizers.open_asks import OpenAsks
from tests.optimizers.conformance import knob_space

SPACE = knob_space().subset(["work_mem", "jit"])
ONE, OTHER = SPACE.default(), SPACE.configuration({"work_mem": 8192})


def waiting(*configurations):
    asks = OpenAsks(seed=3)
    for configuration in configurations:
        asks.add(configuration)
    return asks


def test_a_trial_answers_one_ask_of_its_configuration():
    asks = waiting(OTHER, ONE, ONE)
    assert asks.answer(ONE) == 1
    assert list(asks) == [OTHER, ONE]
    assert asks.answer(ONE) == 1
    assert asks.answer(ONE) is None
    assert list(asks) == [OTHER]
    assert OTHER in asks
    assert ONE not in asks


def test_the_next_draw_follows_from_the_seed_the_tells_and_the_number_of_open_asks():
    def drawn(asks, told):
        return asks.rng(told).integers(2**31)

    answered = waiting(ONE, OTHER)
    answered.answer(ONE)
    assert drawn(answered, 1) == drawn(waiting(OTHER), 1) == drawn(waiting(ONE), 1)
    others = [drawn(waiting(), 1), drawn(waiting(ONE), 2), drawn(OpenAsks(4), 1)]
    assert len({drawn(answered, 1), *others}) == 4


def test_a_librarys_seed_is_of_the_same_randomness():
    answered = waiting(ONE, OTHER)
    answered.answer(ONE)
    assert answered.seed(1) == waiting(OTHER).seed(1)
    assert len({waiting().seed(1), waiting(ONE).seed(1), waiting(ONE).seed(2)}) == 3
    assert 0 <= OpenAsks(2**32 - 1).seed(0) < 2**32
