"""The parts of the generator that have laws: tables of chances, skew, permutations, fan-outs."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from workloads.job.synthetic.draws import (
    LEVELS,
    Ints,
    Skew,
    choice_table,
    draw,
    level,
    stream_key,
)
from workloads.job.synthetic.fanout import FanOut
from workloads.job.synthetic.names import sound_code
from workloads.job.synthetic.population import Population


def numbers(count: int) -> Ints:
    return np.arange(count, dtype=np.int64)


def test_draws_have_the_bits_of_splitmix64() -> None:
    """The reference's first outputs from state 0, whose state grows before each output."""
    words = draw(np.uint64(0), np.array([1, 2, 3]))
    assert [hex(word) for word in words.tolist()] == [
        "0xe220a8397b1dcdaf",
        "0x6e789e6aa1b965f4",
        "0x6c45d188009454f",
    ]


def test_streams_and_seeds_are_independent() -> None:
    ids = numbers(20_000)
    fields = [
        level(draw(stream_key(seed, stream), ids), field)
        for seed, stream, field in [(1, "a", 0), (1, "a", 4), (1, "b", 0), (2, "a", 0)]
    ]
    correlation = np.corrcoef(fields) - np.eye(len(fields))
    assert np.abs(correlation).max() < 0.03


@given(st.lists(st.floats(0, 100), min_size=1, max_size=40).filter(lambda w: sum(w) > 0.01))
def test_a_choice_table_gives_each_its_share(weights: list[float]) -> None:
    counts = np.bincount(choice_table(weights), minlength=len(weights))
    shares = np.array(weights) * LEVELS / sum(weights)
    assert counts.sum() == LEVELS
    assert np.abs(counts - shares).max() <= 1


@given(st.integers(1, 10_000_000), st.integers(2, 2000))
@settings(max_examples=40, deadline=None)
def test_a_skew_stays_within_its_size_and_falls(size: int, spread: int) -> None:
    picked = Skew(size, spread).pick(draw(stream_key(1, "skew"), numbers(5000)))
    assert picked.min() >= 0
    assert picked.max() < size
    assert (picked < size / 2).mean() > 0.5 or size < 3


@given(st.integers(1, 5000), st.integers(0, 50), st.integers(1, 60))
@settings(max_examples=60, deadline=None)
def test_a_population_numbers_its_members_once(size: int, named: int, classes: int) -> None:
    population = Population(size + named, named, classes, spread=100)
    ids = numbers(size) + named + 1
    assert sorted(population.ranks(ids)) == list(range(size))
    wanted = numbers(500) % classes
    picked = population.pick(wanted, draw(stream_key(1, "pick"), numbers(500)))
    assert picked.min() > named
    assert picked.max() <= size + named
    if size % classes == 0:
        assert (population.ranks(picked) % classes == wanted).all()


@given(st.integers(1, 30_000), st.integers(0, 60_000))
@settings(max_examples=25, deadline=None)
def test_a_fan_out_deals_exactly_its_rows_by_weight(parents: int, rows: int) -> None:
    def weigh(ids: Ints) -> Ints:
        return 1 + ids % 7

    counts = np.zeros(parents + 5, dtype=np.int64)
    seen: list[int] = []
    for ids, children in FanOut(5, parents, 11, rows, weigh):
        counts += np.bincount(ids[children.parent], minlength=parents + 5)
        seen += children.ids.tolist()
        assert (children.slot >= 0).all()
        assert (children.slot == 0).sum() == len(set(children.parent.tolist()))
    weights = weigh(np.arange(5, parents + 5))
    assert seen == list(range(11, rows + 11))
    assert np.abs(counts[5:] - rows * weights / weights.sum()).max() <= 2


def test_sound_codes_follow_the_rules_of_soundex() -> None:
    words = ["Robert", "Rupert", "Tymczak", "Pfister", "Honeyman", "Ashcraft", "42"]
    assert [sound_code(word) for word in words] == [
        "R163",
        "R163",
        "T522",
        "P236",
        "H555",
        "A2613",
        "",
    ]
