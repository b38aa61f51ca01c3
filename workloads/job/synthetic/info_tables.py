"""What is told about movies: `movie_info`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from workloads.job.synthetic.columns import Column, take, texts
from workloads.job.synthetic.countries import COUNTRIES, COUNTRY_OF_SLOT, LANGUAGES, country_number
from workloads.job.synthetic.dimensions import INFO, INFOS
from workloads.job.synthetic.draws import LEVELS, Ints, Words, choice_tables, level
from workloads.job.synthetic.info_texts import (
    BUDGETS,
    CERTIFICATES,
    DAYS,
    GENRES,
    RUNTIMES,
    SENTENCES,
    movie_info_texts,
)
from workloads.job.synthetic.movies import EPISODE, FIRST_YEAR, YEARS, Movies, fame_weights
from workloads.job.synthetic.topics import HORROR, TOPICS
from workloads.job.synthetic.world import World, nearby_slot

_INFO_WEIGHTS = fame_weights(
    0.3,
    {
        "movie": (12, 1.0),
        "tv series": (9, 1.0),
        "tv movie": (9, 1.0),
        "video movie": (8, 1.0),
        "video game": (5, 1.0),
        "episode": (4, 0.98),
    },
)

_FIRST_SLOTS: tuple[dict[str, int], ...] = (
    {"genres": 100},
    {"release dates": 92, "plot": 8},
    {"countries": 96, "trivia": 4},
    {"languages": 94, "sound mix": 6},
    {"runtimes": 70, "color info": 30},
    {"genres": 60, "color info": 30, "sound mix": 10},
    {"certificates": 40, "release dates": 30, "genres": 15, "taglines": 15},
)
"""What a movie's first infos are about, in percent."""

_MORE_INFOS = {
    "release dates": 30,
    "certificates": 9,
    "trivia": 11,
    "quotes": 9,
    "locations": 9,
    "soundtrack": 8,
    "goofs": 5,
    "tech info": 7,
    "countries": 3,
    "languages": 2,
    "plot": 4,
    "filming dates": 1,
    "gross": 1,
}
"""What the others are about; American movies tell their budget too."""

_TYPE_TABLE = choice_tables(
    [
        *([slot.get(info, 0) for info in INFOS] for slot in _FIRST_SLOTS),
        [_MORE_INFOS.get(info, 0) for info in INFOS],
        [{**_MORE_INFOS, "budget": 6}.get(info, 0) for info in INFOS],
    ]
)
_USA = country_number("USA")
_GENRE_TABLE = np.array(
    [[GENRES.index(genre) for genre in topic.genres] for topic in TOPICS], dtype=np.int64
)
_LANGUAGE_OF = np.array([LANGUAGES.index(c.language) for c in COUNTRIES], dtype=np.int64)
_ENGLISH = LANGUAGES.index("English")
_RUNTIME_OF_KIND = np.array([92, 45, 88, 70, 45, 60, 35], dtype=np.int64)

_NOTES = (
    "(internet)",
    "(premiere)",
    "(limited)",
    "(film festival)",
    "(DVD premiere)",
    "(re-release)",
    "(original airing)",
    "Anonymous",
)


@dataclass(frozen=True, slots=True)
class _Told:
    """Some infos of one kind.

    Attributes:
        movies: a block of movies.
        parent: each info's movie, an index into the block.
        slot: its number among the movie's infos.
        words: its draws.
    """

    movies: Movies
    parent: Ints
    slot: Ints
    words: Words


def _genres(told: _Told) -> Ints:
    """A topic's genres in order of frequency: the movie's first info is mostly the first."""
    bits = level(told.words, 1)
    number = np.where(told.slot == 0, bits // (LEVELS * 3 // 4), 1 + bits % 2)
    return _GENRE_TABLE[told.movies.topic[told.parent], number]


def _country(told: _Told) -> Ints:
    own = told.movies.slot[told.parent]
    return COUNTRY_OF_SLOT[np.where(told.slot < 3, own, nearby_slot(own, told.words, 1))]


def _languages(told: _Told) -> Ints:
    bits = level(told.words, 3)
    native = _LANGUAGE_OF[_country(told)]
    return np.where(bits < LEVELS // 12, _ENGLISH, native)


def _colors(told: _Told) -> Ints:
    year = told.movies.year[told.parent]
    old = (year > 0) & (year < 1960)
    black = old | (level(told.words, 1) < LEVELS // 50)
    return black.astype(np.int64)


def _runtimes(told: _Told) -> Ints:
    bits = level(told.words, 1)
    typical = _RUNTIME_OF_KIND[told.movies.kind[told.parent] - 1]
    minutes: Ints = np.clip(typical + bits % 16 + bits // 256 - 16, 1, RUNTIMES)
    return minutes - 1


def _certificates(told: _Told) -> Ints:
    horror = told.movies.topic[told.parent] == HORROR
    bits = level(told.words, 3) % len(CERTIFICATES)
    return _country(told) * len(CERTIFICATES) + np.where(horror, bits | 3, bits)


def _budgets(told: _Told) -> Ints:
    fame = told.movies.fame[told.parent]
    return (fame + level(told.words, 1)) * BUDGETS // (2 * LEVELS)


def _release_dates(told: _Told) -> Ints:
    """At home in the year of production or the next one, later elsewhere."""
    at_home = told.slot < 3
    bits = level(told.words, 3)
    any_slot = level(told.words, 2) % len(COUNTRY_OF_SLOT)
    country = COUNTRY_OF_SLOT[np.where(at_home, told.movies.slot[told.parent], any_slot)]
    delay = np.where(at_home, bits // 3072, bits // 1366)
    year = np.maximum(told.movies.year[told.parent], FIRST_YEAR) - FIRST_YEAR + delay
    days: Ints = (country * YEARS + year) * DAYS + level(told.words, 4) % DAYS
    return days


def _sentences(told: _Told) -> Ints:
    return level(told.words, 1) % SENTENCES


_TEXT_OF: dict[str, Callable[[_Told], Ints]] = {
    "genres": _genres,
    "languages": _languages,
    "countries": _country,
    "color info": _colors,
    "runtimes": _runtimes,
    "certificates": _certificates,
    "budget": _budgets,
    "release dates": _release_dates,
}


def movie_info_columns(world: World) -> Iterator[list[Column]]:
    """The ordinary rows of `movie_info`."""
    notes = texts(_NOTES)
    vocabulary, _ = movie_info_texts()
    for ids, rows in world.of_movies("movie_info", world.by_fame(_INFO_WEIGHTS)):
        movies = world.movies.block(ids)
        words = world.draw("info", rows.ids)
        american = movies.country[rows.parent] == _USA
        known = len(_FIRST_SLOTS)
        kind_row = np.where(rows.slot < known, rows.slot, known + american)
        kind = _TYPE_TABLE[kind_row, level(words, 0)] + 1
        told = _Told(movies, rows.parent, rows.slot, words)
        note = _notes(kind, told)
        info = take(vocabulary, _texts(kind, told))
        yield [rows.ids, ids[rows.parent], kind, info, take(notes, np.maximum(note, 0), note < 0)]


def _texts(kind: Ints, told: _Told) -> Ints:
    """Each info's place in the vocabulary of `movie_info_texts`."""
    starts = movie_info_texts().starts
    place = starts["plot"] + _sentences(told)
    for name, text_of in _TEXT_OF.items():
        at = np.flatnonzero(kind == INFO[name])
        some = _Told(told.movies, told.parent[at], told.slot[at], told.words[at])
        place[at] = starts[name] + text_of(some)
    return place


def _notes(kind: Ints, told: _Told) -> Ints:
    """Indices into `_NOTES`, -1 for none; what is new and American is on the internet."""
    bits = level(told.words, 4) * 7 % LEVELS
    dated = kind == INFO["release dates"]
    online = (told.movies.year[told.parent] >= 2004) & (bits < LEVELS // 10)
    airing = told.movies.kind[told.parent] == EPISODE
    special = np.where(airing, 6, 1 + bits % 5)
    note = np.where(bits < LEVELS // 3, special, -1)
    note = np.where(online, 0, note)
    return np.where(dated, note, np.where(bits < LEVELS // 12, 7, -1))
