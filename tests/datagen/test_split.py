import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from datagen.split import split_templates
from llmtune.errors import UsageError
from workloads.workload import Query

NAMES = st.text("abcdef", min_size=1)
TEMPLATES = st.sets(NAMES, min_size=4, max_size=40)
SHARES = st.floats(0.01, 0.99)


@given(TEMPLATES, SHARES)
def test_every_template_is_on_one_side(templates, share):
    split = split_templates(templates, share)
    assert split.train | split.held_out == templates
    assert not split.train & split.held_out
    assert min(len(split.train), len(split.held_out)) >= 2
    for template in templates:
        sides = {split.side(Query(f"{template}.{n}", "SELECT 1", template)) for n in range(3)}
        assert len(sides) == 1


@given(TEMPLATES)
def test_the_order_does_not_matter(templates):
    names = sorted(templates)
    twice = names[::-1] * 2
    assert split_templates(names, 0.2) == split_templates(twice, 0.2)


@given(st.sets(NAMES, min_size=12, max_size=40), NAMES, st.floats(0.3, 0.7))
def test_another_template_moves_no_other_one(templates, new, share):
    before, after = (split_templates(each, share) for each in (templates, templates | {new}))
    # A side of two may have been filled up.
    assume(min(len(before.train), len(before.held_out)) > 2)
    assert after.held_out - {new} == before.held_out - {new}
    assert after.train - {new} == before.train - {new}


@given(st.sets(NAMES, min_size=12, max_size=40), st.floats(0.3, 0.7), st.floats(0.3, 0.7))
def test_a_larger_share_holds_out_more_and_lets_none_go(templates, one, other):
    smaller, larger = sorted((one, other))
    less, more = (split_templates(templates, share) for share in (smaller, larger))
    assert less.held_out <= more.held_out


def test_about_the_share_is_held_out():
    split = split_templates((f"t{n}" for n in range(1000)), 0.2)
    assert 150 <= len(split.held_out) <= 250


def test_of_tpch_six_templates_are_held_out():
    split = split_templates((f"tpch-q{n}" for n in range(1, 23)), 0.2)
    assert split.held_out == {f"tpch-q{n}" for n in (8, 12, 13, 17, 19, 22)}


def test_too_few_templates_are_refused():
    with pytest.raises(UsageError, match="at least 4 are needed"):
        split_templates(("a", "b", "c", "a"), 0.2)
