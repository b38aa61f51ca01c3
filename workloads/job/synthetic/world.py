"""The entities of one scale and seed, which all tables share."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from workloads.job.synthetic.countries import COUNTRIES, COUNTRY_OF_SLOT, SLOTS
from workloads.job.synthetic.counts import row_count
from workloads.job.synthetic.draws import Ints, Words, draw, level, stream_key
from workloads.job.synthetic.fanout import FanOut
from workloads.job.synthetic.movies import SUBTOPICS, MovieSource
from workloads.job.synthetic.names import CULTURE_NAMES
from workloads.job.synthetic.notable import notable_rows
from workloads.job.synthetic.population import Population
from workloads.job.synthetic.topics import TOPICS

REGIONS = 32
"""Persons come from regions: `SLOTS` / `REGIONS` neighbouring slots of countries."""

GENDERS = ("m", "m", "m", "f", "f", None, None, None)
"""The genders of the classes of persons within a region, of equal size."""

MEN, WOMEN = 3, 2
"""How many of `GENDERS` are male, how many after them female."""

CHARACTER_GENDERS = 2

_CULTURE_OF_COUNTRY = np.array(
    [CULTURE_NAMES.index(country.culture) for country in COUNTRIES], dtype=np.int64
)


class World:
    """Movies, persons, companies, keywords and characters at one scale.

    The class of a company is its country's slot, that of a person the region and
    gender, that of a keyword the topic and subtopic, that of a character the gender.
    """

    def __init__(self, scale: float, seed: int) -> None:
        self._scale = scale
        self._seed = seed
        first, size = self.ordinary("title")
        self.movies = MovieSource(seed, first, size)
        self.persons = self._population("name", REGIONS * len(GENDERS), spread=1000)
        self.companies = self._population("company_name", SLOTS, spread=1000)
        self.keywords = self._population("keyword", len(TOPICS) * SUBTOPICS, spread=30)
        self.characters = self._population("char_name", CHARACTER_GENDERS, spread=1000)

    def ordinary(self, table: str) -> tuple[int, int]:
        """The first id and the number of the rows that are not about notable entities."""
        notable = len(notable_rows().get(table, ()))
        return notable + 1, row_count(table, self._scale) - notable

    def draw(self, stream: str, ids: Ints) -> Words:
        """64 random bits for each id, independent of other streams."""
        return draw(stream_key(self._seed, stream), ids)

    def of_movies(self, table: str, weigh: Callable[[Ints], Ints]) -> FanOut:
        """The ordinary rows of `table`, dealt to the ordinary movies."""
        return FanOut(self.movies.first, self.movies.size, *self.ordinary(table), weigh)

    def of_persons(self, table: str) -> FanOut:
        """The ordinary rows of `table`, dealt to the ordinary persons by how known they are."""
        return FanOut(*self.ordinary("name"), *self.ordinary(table), self.persons.weights)

    def by_fame(self, table: Ints) -> Callable[[Ints], Ints]:
        """Weights of movies from a table of `movies.fame_weights`."""

        def weigh(ids: Ints) -> Ints:
            kind, fame = self.movies.kind_and_fame(ids)
            return table[kind - 1, fame]

        return weigh

    def _population(self, table: str, classes: int, spread: int) -> Population:
        first, size = self.ordinary(table)
        return Population(first + size - 1, first - 1, classes, spread)


def culture_of_slot(slots: Ints) -> Ints:
    """The index into `CULTURE_NAMES` of each slot of countries."""
    return _CULTURE_OF_COUNTRY[COUNTRY_OF_SLOT[slots]]


def nearby_slot(slots: Ints, bits: Words, field: int) -> Ints:
    """A slot of a country: mostly (4 of 5) the same country's, otherwise any.

    Args:
        bits: draws, whose fields `field` and `field` + 1 are used.
    """
    chance, other = level(bits, field), level(bits, field + 1)
    return np.where(chance < 3277, slots, other % SLOTS)
