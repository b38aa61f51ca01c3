"""What a movie is, as a function of its id: kind, country, topic, year, fame.

These attributes depend on one another as in life: what is about war is a film more
often than a game, episodes share their series' country and topic, games are young,
American films are famous. Every table asks here, so the dependence runs across tables.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from workloads.job.synthetic.countries import COUNTRY_OF_SLOT, SLOTS
from workloads.job.synthetic.dimensions import KIND, KINDS
from workloads.job.synthetic.draws import (
    LEVELS,
    Ints,
    Skew,
    choice_table,
    choice_tables,
    draw,
    level,
    stream_key,
)
from workloads.job.synthetic.topics import TOPIC_OF_KIND, TOPICS

MOVIE, SERIES, EPISODE = KIND["movie"], KIND["tv series"], KIND["episode"]

FIRST_YEAR, YEARS = 1890, 130
"""Whatever has a year has one of these."""

SUBTOPICS = 8
"""Keywords within a topic go together in this many groups."""

_GROUP = 64
"""Each run of so many ids has the kinds in their proportions; ids 0 and 32 are series."""

_SHARES = {"movie": 17, "tv movie": 2, "video movie": 3, "video game": 1, "episode": 39}


def _kinds() -> Ints:
    others = [KIND[kind] for kind, share in _SHARES.items() for _ in range(share)]
    mixed = [others[place * 23 % len(others)] for place in range(len(others))]
    return np.array([SERIES, *mixed[:31], SERIES, *mixed[31:]], dtype=np.int64)


def _years(spans: Sequence[tuple[int, int, float]]) -> Ints:
    """A choice table of years; a span is first, last and the weight of all its years."""
    years = [year for first, last, _ in spans for year in range(first, last + 1)]
    weights = [w / (last - first + 1) for first, last, w in spans for _ in range(first, last + 1)]
    table: Ints = np.array(years, dtype=np.int64)[choice_table(weights)]
    return table


_OLD_AND_NEW = ((0, 0, 3), (1894, 1919, 4), (1920, 1959, 14), (1960, 1989, 22), (1990, 1999, 12))
_TELEVISION = ((0, 0, 3), (1950, 1969, 9), (1970, 1989, 16), (1990, 1999, 17))
_YEARS = {
    "movie": (*_OLD_AND_NEW, (2000, 2006, 17), (2007, 2013, 27), (2014, 2015, 1)),
    "tv series": (*_TELEVISION, (2000, 2006, 25), (2007, 2013, 29), (2014, 2015, 1)),
    "tv movie": (*_TELEVISION, (2000, 2006, 28), (2007, 2013, 27)),
    "video movie": ((0, 0, 2), (1980, 1989, 7), (1990, 1999, 24), (2000, 2013, 67)),
    "tv mini series": ((1970, 2013, 1),),
    "video game": ((0, 0, 1), (1980, 1993, 12), (1994, 2013, 86), (2014, 2015, 1)),
    "episode": (*_TELEVISION, (2000, 2006, 24), (2007, 2013, 31)),
}

KIND_OF_PLACE = _kinds()
YEAR_TABLE = np.stack([_years(_YEARS[kind]) for kind in KINDS])
TOPIC_TABLE = choice_tables([TOPIC_OF_KIND.get(kind, (1,) * len(TOPICS)) for kind in KINDS])
RATING_OF_TOPIC = np.array([topic.rating for topic in TOPICS], dtype=np.int64)


@dataclass(frozen=True, slots=True)
class Movies:
    """A block of ordinary movies.

    Attributes:
        kind: ids of `kind_type`.
        series: the id of an episode's series, 0 for anything else.
        slot: the country's slot, 0 to `SLOTS` - 1.
        topic: indices into `TOPICS`.
        subtopic: 0 to `SUBTOPICS` - 1.
        year: of production, 0 where unknown.
        fame: 0 to `LEVELS` - 1, the most famous highest.
        sequel: whether it follows another.
    """

    ids: Ints
    kind: Ints
    series: Ints
    slot: Ints
    topic: Ints
    subtopic: Ints
    year: Ints
    fame: Ints
    sequel: Ints

    @property
    def country(self) -> Ints:
        """Indices into `COUNTRIES`."""
        return COUNTRY_OF_SLOT[self.slot]


class MovieSource:
    """The ordinary movies with ids from `first` to `first + size - 1`."""

    def __init__(self, seed: int, first: int, size: int) -> None:
        self.first = first
        self.size = size
        self._own = stream_key(seed, "movie")
        self._shared = stream_key(seed, "production")
        self._episode = stream_key(seed, "series of episode")
        self.groups = size // _GROUP
        self._series = Skew(self.groups, spread=1000)

    def block(self, ids: Ints) -> Movies:
        """The attributes of these movies."""
        kind = KIND_OF_PLACE[(ids - self.first) % _GROUP]
        series = np.where(kind == EPISODE, self._series_of(ids), 0)
        shared = draw(self._shared, np.where(series > 0, series, ids))
        own = draw(self._own, ids)
        topic = TOPIC_TABLE[kind - 1, level(shared, 0)]
        return Movies(
            ids=ids,
            kind=kind,
            series=series,
            slot=level(shared, 1) % SLOTS,
            topic=topic,
            subtopic=level(shared, 2) % SUBTOPICS,
            year=YEAR_TABLE[kind - 1, level(own, 0)],
            fame=level(own, 1),
            sequel=((kind == MOVIE) & (level(own, 2) < LEVELS // 16)).astype(np.int64),
        )

    def kind_and_fame(self, ids: Ints) -> tuple[Ints, Ints]:
        """Two attributes alone, which is all that most weights need."""
        kind = KIND_OF_PLACE[(ids - self.first) % _GROUP]
        return kind, level(draw(self._own, ids), 1)

    def place_like(self, ids: Ints, others: Ints) -> Ints:
        """Ids of movies of the same kind as `ids`, taken from the groups that `others` name."""
        place = (ids - self.first) % _GROUP
        return self.first + others % self.groups * _GROUP + place

    def _series_of(self, ids: Ints) -> Ints:
        words = draw(self._episode, ids)
        half = (level(words, 0) & 1) * (_GROUP // 2)
        return self.first + self._series.pick(words) * _GROUP + half


def rating(movies: Movies, bits: Ints) -> Ints:
    """The rating in tenths: by topic, a little by fame, and by `bits` (of 12) of chance."""
    noise = (bits & 63) % 33 - 16 + (bits >> 6) % 33 - 16
    fame = movies.fame * 8 // LEVELS
    tenths: Ints = np.clip(RATING_OF_TOPIC[movies.topic] - 3 + fame + noise, 10, 98)
    return tenths


def fame_weights(exponent: float, kinds: Mapping[str, tuple[int, float]]) -> Ints:
    """How many children movies get by kind and fame: shape (kinds, LEVELS).

    Args:
        exponent: of the power law; with 0 all have the same.
        kinds: for each kind a factor and the share of movies that have any children.
    """
    law = [round(16 * (LEVELS / (LEVELS - fame)) ** exponent) for fame in range(LEVELS)]
    table = np.zeros((len(KINDS), LEVELS), dtype=np.int64)
    for kind, (factor, known) in kinds.items():
        first = round(LEVELS * (1 - known))
        table[KIND[kind] - 1, first:] = factor * np.array(law[first:], dtype=np.int64)
    return table
