from hypothesis import given
from hypothesis import strategies as st

from optimizers.space import UnitCube
from tests.optimizers.conformance import knob_space

SPACE = knob_space()
CUBE = UnitCube(SPACE)
POINTS = st.fixed_dictionaries({name: st.floats(0.0, 1.0) for name in SPACE.names})


@given(POINTS)
def test_every_point_of_the_cube_is_a_valid_configuration(point):
    configuration = CUBE.configuration(point)
    SPACE.validate(configuration)
    assert all(0.0 <= at <= 1.0 for at in CUBE.point(configuration).values())


@given(POINTS)
def test_a_choice_or_special_value_survives_the_round_trip(point):
    configuration = CUBE.configuration(point)
    back = CUBE.configuration(CUBE.point(configuration))
    for knob in SPACE.knobs:
        value = configuration[knob.name]
        if knob.knob.choices or value in knob.specials:
            assert back[knob.name] == value
