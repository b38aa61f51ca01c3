"""Companies, and which of them made and sold which movie."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from itertools import product
from typing import Any

import numpy as np

from workloads.job.synthetic.columns import Column, digests, join, nulls, take, texts
from workloads.job.synthetic.countries import COUNTRIES, COUNTRY_OF_SLOT, country_number
from workloads.job.synthetic.draws import LEVELS, Ints, Words, choice_table, choice_tables, level
from workloads.job.synthetic.fanout import Children, blocks
from workloads.job.synthetic.movies import FIRST_YEAR, YEARS, Movies, fame_weights
from workloads.job.synthetic.names import CULTURE_NAMES, CULTURES, sound_code
from workloads.job.synthetic.topics import TOPICS
from workloads.job.synthetic.world import World, culture_of_slot, nearby_slot

_COMPANY_WEIGHTS = fame_weights(
    0.35,
    {
        "movie": (5, 0.75),
        "tv series": (5, 0.8),
        "tv movie": (4, 0.75),
        "video movie": (4, 0.7),
        "video game": (5, 0.9),
        "episode": (2, 0.25),
    },
)

_MAJORS = 11
"""So many of the notable companies make ordinary movies too."""

_PLAIN_SHARES = (14, 5, 9, 8, 12, 16, 16, 14, 3, 2, 1)
_HORROR_SHARES = (8, 4, 5, 5, 6, 14, 8, 8, 24, 16, 0)
_ANIMATION_SHARES = (16, 6, 8, 6, 4, 10, 10, 8, 1, 1, 30)
_MAJOR_TABLE = choice_tables(
    [
        {"Horror": _HORROR_SHARES, "Animation": _ANIMATION_SHARES}.get(
            topic.genres[0], _PLAIN_SHARES
        )
        for topic in TOPICS
    ]
)
_TYPE_TABLE = choice_table([46, 50, 2, 2])
_USA = country_number("USA")

_NOTES = (
    "(co-production)",
    "(presents)",
    "(in association with)",
    "(produced by)",
    "(as Metro-Goldwyn-Mayer Pictures)",
    "(in co-production with)",
    "(participation)",
    "(visual effects)",
)
_MEDIA = ("theatrical", "TV", "VHS", "DVD", "Blu-ray", "internet", "all media")
_PLACES = (*(country.name for country in COUNTRIES), "worldwide", "non-USA")

_ERAS = (1979, 1997, 2006)
_MEDIA_TABLE = choice_tables(
    [
        (80, 19, 0, 0, 0, 0, 1),
        (30, 26, 41, 0, 0, 0, 3),
        (20, 24, 10, 40, 0, 2, 4),
        (18, 22, 0, 32, 14, 10, 4),
    ]
)
"""How movies were sold before the end of each era, and since."""


@cache
def _note_texts() -> Any:
    years = range(FIRST_YEAR, FIRST_YEAR + YEARS)
    sold = [f"({y}) ({place}) ({m})" for place, y, m in product(_PLACES, years, _MEDIA)]
    return texts([*_NOTES, *sold])


def company_name_columns(world: World) -> Iterator[list[Column]]:
    """The ordinary rows of `company_name`: called as is usual in their country."""
    surnames = [name for culture in CULTURES.values() for name in culture.surnames]
    starts, counts = _ranges([len(CULTURES[name].surnames) for name in CULTURE_NAMES])
    endings = [f" {word}" for culture in CULTURES.values() for word in culture.companies]
    end_starts, end_counts = _ranges([len(CULTURES[name].companies) for name in CULTURE_NAMES])
    first, last, middle = (
        texts(surnames),
        texts(endings),
        texts(["", " Brothers", " & Sons", " Star"]),
    )
    codes = texts([sound_code(word) for word in surnames])
    country_codes = texts([country.code for country in COUNTRIES])
    for ids in blocks(*world.ordinary("company_name")):
        words = world.draw("company", ids)
        slot = world.companies.ranks(ids) % world.companies.classes
        culture = culture_of_slot(slot)
        start = starts[culture] + level(words, 0) % counts[culture]
        end = end_starts[culture] + level(words, 1) % end_counts[culture]
        name = join(take(first, start), take(middle, level(words, 2) % 4), take(last, end))
        code = take(codes, start)
        unknown = level(words, 3) < LEVELS // 20
        country = take(country_codes, COUNTRY_OF_SLOT[slot], unknown)
        digest = digests(words, world.draw("company digest", ids))
        yield [ids, name, country, nulls(len(ids)), code, code, digest]


def _ranges(counts: list[int]) -> tuple[Ints, Ints]:
    lengths = np.array(counts, dtype=np.int64)
    return lengths.cumsum() - lengths, lengths


def movie_companies_columns(world: World) -> Iterator[list[Column]]:
    """The ordinary rows of `movie_companies`."""
    for ids, rows in world.of_movies("movie_companies", world.by_fame(_COMPANY_WEIGHTS)):
        movies = world.movies.block(ids)
        words = world.draw("company of movie", rows.ids)
        kind = _TYPE_TABLE[level(words, 0)] + 1
        slot = nearby_slot(movies.slot[rows.parent], words, 1)
        company = _company(world, movies, rows, slot)
        note = _note(movies.year[rows.parent], kind, slot, world.draw("sale", rows.ids))
        shown = take(_note_texts(), np.maximum(note, 0), note < 0)
        yield [rows.ids, ids[rows.parent], company, kind, shown]


def _company(world: World, movies: Movies, rows: Children, slot: Ints) -> Ints:
    """One from the country of `slot`; an American one is a major in one of five cases."""
    words = world.draw("company rank", rows.ids)
    major = _MAJOR_TABLE[movies.topic[rows.parent], level(words, 0)] + 1
    famous = (COUNTRY_OF_SLOT[slot] == _USA) & (level(words, 1) < LEVELS // 5)
    return np.where(famous, major, world.companies.pick(slot, words))


def _note(year: Ints, kind: Ints, slot: Ints, words: Words) -> Ints:
    """Indices into `_note_texts`, -1 for none: who sells says when, where and how."""
    chance = level(words, 0)
    sells = np.where(kind == 1, chance < LEVELS * 9 // 10, chance < LEVELS // 25)
    era = np.searchsorted(_ERAS, year)
    medium = _MEDIA_TABLE[era, level(words, 1)]
    abroad = len(COUNTRIES) + level(words, 2) % 2
    place = np.where(level(words, 2) < LEVELS // 8, abroad, COUNTRY_OF_SLOT[slot])
    sold_year = np.where(year > 0, year, 2000) - FIRST_YEAR + level(words, 3) ** 3 * 5 // LEVELS**3
    sale = (place * YEARS + sold_year) * len(_MEDIA) + medium + len(_NOTES)
    remark = np.where(chance % 4 == 0, level(words, 4) % len(_NOTES), -1)
    return np.where(sells, sale, remark)
