"""Movies themselves and their other titles."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

import numpy as np

from workloads.job.synthetic.columns import (
    Column,
    digests,
    join,
    nulls,
    optional,
    take,
    texts,
)
from workloads.job.synthetic.countries import COUNTRIES
from workloads.job.synthetic.draws import LEVELS, Ints, Words, level
from workloads.job.synthetic.fanout import blocks
from workloads.job.synthetic.movies import EPISODE, FIRST_YEAR, SERIES, YEARS, Movies, fame_weights
from workloads.job.synthetic.names import sound_code
from workloads.job.synthetic.topics import TOPICS
from workloads.job.synthetic.world import World


def _words(text: str) -> list[str]:
    return text.split()


_ARTICLES = ("The ", "A ", "Our ", "", "My ")
_ADJECTIVES = _words(
    "Silent Broken Last Golden Hidden Distant Burning Forgotten Second Crimson Lonely Frozen "
    "Secret Wild Barren Blue Perfect Strange Midnight Borrowed Tireless Little Bitter Hollow "
    "Restless Stolen Sacred Paper Savage Gentle Vanished Crooked Northern Velvet Rusty Nameless "
    "Quiet Painted Wandering Final"
)
_SEQUEL_ENDINGS = (" 2", " II", " 3", ": The Return", " Strikes Back", " III", " 4", " Reloaded")
_ENDINGS = (
    *[""] * 24,
    *(f" of {place}" for place in _words("Avalon Berlin Casablanca Dover Eden Fargo Geneva")),
    *(f" and the {thing}" for thing in _words("Moon Stranger King Machine Clown Thief Sea")),
    *(f" in {time}" for time in _words("Spring April Winter Summer 1945 Autumn June")),
    *(f", Part {part}" for part in _words("One Two Three")),
)
_NOUNS = len(TOPICS[0].nouns)
_HEADS = len(_ARTICLES) * len(_ADJECTIVES)

_AKA_WEIGHTS = fame_weights(
    0.4,
    {
        "movie": (8, 0.5),
        "tv series": (6, 0.4),
        "tv movie": (4, 0.3),
        "video movie": (2, 0.2),
        "video game": (2, 0.3),
        "episode": (1, 0.05),
    },
)


@cache
def _beginnings() -> tuple[Any, Any]:
    """All first parts of titles, grouped by topic, and their sound codes."""
    nouns = [noun for topic in TOPICS for noun in topic.nouns]
    heads = [article + word for article in _ARTICLES for word in _ADJECTIVES]
    words = [f"{head} {noun}" for noun in nouns for head in heads]
    return texts(words), texts([sound_code(word) for word in words])


@cache
def _endings() -> Any:
    return texts([*_ENDINGS, *_SEQUEL_ENDINGS])


@cache
def _series_years() -> Any:
    return texts([f"{year}-????" for year in range(FIRST_YEAR, FIRST_YEAR + YEARS)])


@cache
def _indexes() -> Any:
    return texts(["I", "II", "III", "IV"])


@cache
def _aka_notes() -> Any:
    kinds = ("", " (working title)", " (alternative title)", " (imdb display title)")
    return texts([f"({country.name}){kind}" for country in COUNTRIES for kind in kinds])


def title_columns(world: World) -> Iterator[list[Column]]:
    """The ordinary rows of `title`."""
    for ids in blocks(world.movies.first, world.movies.size):
        movies = world.movies.block(ids)
        words = world.draw("title", ids)
        title, code = _title(movies.topic, movies.sequel, words)
        in_series = movies.kind == SERIES
        span = take(_series_years(), np.maximum(movies.year - FIRST_YEAR, 0), ~in_series)
        yield [
            ids,
            title,
            _imdb_index(words),
            movies.kind,
            optional(movies.year),
            nulls(len(ids)),
            code,
            *_episode_columns(world, movies),
            span,
            digests(words, world.draw("title digest", ids)),
        ]


def aka_title_columns(world: World) -> Iterator[list[Column]]:
    """The ordinary rows of `aka_title`."""
    for ids, rows in world.of_movies("aka_title", world.by_fame(_AKA_WEIGHTS)):
        movies = world.movies.block(ids)
        words = world.draw("aka title", rows.ids)
        title, code = _title(movies.topic[rows.parent], movies.sequel[rows.parent], words)
        note = level(words, 4) % len(_aka_notes())
        yield [
            rows.ids,
            ids[rows.parent],
            title,
            _imdb_index(words),
            movies.kind[rows.parent],
            optional(movies.year[rows.parent]),
            code,
            nulls(len(rows.ids)),
            nulls(len(rows.ids)),
            nulls(len(rows.ids)),
            take(_aka_notes(), note, level(words, 0) < LEVELS // 4),
            digests(words, world.draw("aka title digest", rows.ids)),
        ]


def _title(topic: Ints, sequel: Ints, words: Words) -> tuple[Any, Any]:
    """Titles and their sound codes; sequels say so."""
    beginnings, codes = _beginnings()
    noun = topic * _NOUNS + level(words, 0) % _NOUNS
    beginning = noun * _HEADS + level(words, 1) % _HEADS
    numbered = len(_ENDINGS) + level(words, 2) % len(_SEQUEL_ENDINGS)
    ending = np.where(sequel > 0, numbered, level(words, 2) % len(_ENDINGS))
    return join(take(beginnings, beginning), take(_endings(), ending)), take(codes, beginning)


def _imdb_index(words: Words) -> Any:
    bits = level(words, 3)
    return take(_indexes(), bits % 4, bits > LEVELS // 50)


def _episode_columns(world: World, movies: Movies) -> list[Column]:
    """`episode_of_id`, `season_nr` and `episode_nr`; low episode numbers are more frequent."""
    words = world.draw("episode", movies.ids)
    is_episode = (movies.kind == EPISODE).astype(np.int64)
    season = 1 + level(words, 0) ** 2 * 12 // LEVELS**2
    episode = 1 + level(words, 1) ** 3 * 150 // LEVELS**3
    return [
        optional(movies.series),
        optional(is_episode * season),
        optional(is_episode * episode),
    ]
