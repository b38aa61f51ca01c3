"""What people think of movies: `movie_info_idx`."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from workloads.job.synthetic.columns import Column, nulls, take
from workloads.job.synthetic.dimensions import INFO
from workloads.job.synthetic.draws import LEVELS, Ints, Words, level
from workloads.job.synthetic.info_texts import (
    DISTRIBUTIONS,
    RANKS,
    VOTES_FIELDS,
    index_info_texts,
)
from workloads.job.synthetic.movies import MOVIE, Movies, fame_weights, rating
from workloads.job.synthetic.world import World

_OPINION_WEIGHTS = fame_weights(
    0,
    {
        "movie": (1, 0.47),
        "tv series": (1, 0.5),
        "tv movie": (1, 0.3),
        "video movie": (1, 0.27),
        "video game": (1, 0.4),
        "episode": (1, 0.06),
    },
)
"""The shares of rated movies are such that each has two or three rows."""


def movie_info_idx_columns(world: World) -> Iterator[list[Column]]:
    """The ordinary rows of `movie_info_idx`: rating, votes, and their distribution or a rank."""
    vocabulary, starts = index_info_texts()
    for ids, rows in world.of_movies("movie_info_idx", world.by_fame(_OPINION_WEIGHTS)):
        movies = world.movies.block(ids)
        words = world.draw("opinion", ids)
        tenths = rating(movies, level(words, 0))
        kind, place = _third(movies, tenths, words)
        votes = movies.fame * VOTES_FIELDS + level(words, 1) % VOTES_FIELDS
        kinds = np.stack([_all(ids, "rating"), _all(ids, "votes"), kind], axis=1)
        places = np.stack([starts["rating"] + tenths, starts["votes"] + votes, place], axis=1)
        at = (rows.parent, rows.slot % 3)
        info = take(vocabulary, places[at])
        yield [rows.ids, ids[rows.parent], kinds[at], info, nulls(len(rows.ids))]


def _all(ids: Ints, kind: str) -> Ints:
    return np.full(len(ids), INFO[kind], dtype=np.int64)


def _third(movies: Movies, tenths: Ints, words: Words) -> tuple[Ints, Ints]:
    """The third info: a rank for famous films that are very good or very bad."""
    starts = index_info_texts().starts
    film = movies.kind == MOVIE
    top = film & (tenths >= 70) & (movies.fame >= LEVELS - 8)
    bottom = film & (tenths <= 30) & (movies.fame >= LEVELS - 100)
    kind = np.where(top, INFO["top 250 rank"], INFO["votes distribution"])
    kind = np.where(bottom, INFO["bottom 10 rank"], kind)
    rank = level(words, 2) % np.where(bottom, 10, RANKS)
    distribution = starts["votes distribution"] + level(words, 2) % DISTRIBUTIONS
    return kind, np.where(top | bottom, starts["rank"] + rank, distribution)
