import pytest
from hypothesis import given
from hypothesis import strategies as st

from datagen.split import split_templates
from llmtune.errors import UsageError
from workloads.workload import Query

TEMPLATES = st.sets(st.text("abcdef", min_size=1), min_size=4, max_size=40)
SHARES = st.floats(0.01, 0.6)


@given(TEMPLATES, SHARES, st.integers())
def test_every_template_is_on_one_side(templates, share, seed):
    split = split_templates(templates, share, seed)
    assert split.train | split.held_out == templates
    assert not split.train & split.held_out
    assert min(len(split.train), len(split.held_out)) >= 2
    for template in templates:
        sides = {split.side(Query(f"{template}.{n}", "SELECT 1", template)) for n in range(3)}
        assert len(sides) == 1


@given(TEMPLATES, st.integers())
def test_a_seed_gives_one_split_whatever_the_order(templates, seed):
    names = sorted(templates)
    assert split_templates(names, 0.2, seed) == split_templates(names[::-1] * 2, 0.2, seed)


def test_about_the_share_is_held_out():
    split = split_templates((f"t{n}" for n in range(22)), 0.2, 1)
    assert len(split.held_out) == 4


@pytest.mark.parametrize(("count", "share"), [(3, 0.2), (5, 0.9)])
def test_too_few_templates_are_refused(count, share):
    with pytest.raises(UsageError, match="at least 4 are needed"):
        split_templates((f"t{n}" for n in range(count)), share, 1)
