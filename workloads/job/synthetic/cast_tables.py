"""Who did what in which movie: `cast_info`."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from workloads.job.synthetic.cast_notes import NOTE_TABLE, NOTES
from workloads.job.synthetic.columns import Column, optional, take, texts
from workloads.job.synthetic.countries import SLOTS
from workloads.job.synthetic.dimensions import ROLE, ROLES
from workloads.job.synthetic.draws import LEVELS, Ints, Words, choice_tables, level
from workloads.job.synthetic.fanout import Children
from workloads.job.synthetic.movies import Movies, fame_weights
from workloads.job.synthetic.names import NAMED_CHARACTERS
from workloads.job.synthetic.topics import ANIMATION
from workloads.job.synthetic.world import GENDERS, REGIONS, World

_CAST_WEIGHTS = fame_weights(
    0.5,
    {
        "movie": (30, 0.97),
        "tv series": (20, 0.9),
        "tv movie": (16, 0.95),
        "video movie": (10, 0.95),
        "video game": (8, 0.8),
        "episode": (9, 0.9),
    },
)

_ACTRESS = ROLE["actress"]

_PLAYERS = 55
_CREW = {
    "producer": 9,
    "writer": 9,
    "cinematographer": 4,
    "composer": 3,
    "costume designer": 1.2,
    "director": 8,
    "editor": 4,
    "miscellaneous crew": 11,
    "production designer": 1,
}
"""How many parts in a movie are which, in percent: players, and the crew's roles."""

_WOMEN_OF_TOPIC = (45, 42, 25, 38, 45, 30, 22, 25, 40, 10, 12, 45)
"""Actresses among a hundred players, for each topic."""


def _role_weights(women: int) -> list[float]:
    players = {"actor": _PLAYERS * (1 - women / 100), "actress": _PLAYERS * women / 100}
    weights = {**players, **_CREW}
    return [weights.get(role, 0) for role in ROLES]


_ROLE_TABLE = choice_tables([_role_weights(women) for women in _WOMEN_OF_TOPIC])

_ANYBODY = (16, 16, 16, 6, 6, 13, 13, 14)
_PLACES_OF_ROLE = {
    "actor": (33, 33, 33, 1, 0, 0, 0, 0),
    "actress": (0, 0, 1, 49, 50, 0, 0, 0),
    "costume designer": (2, 2, 2, 24, 24, 15, 15, 16),
}
_GENDER_TABLE = choice_tables([_PLACES_OF_ROLE.get(role, _ANYBODY) for role in ROLES])
"""Places in `GENDERS` for each role."""

_FREQUENT = {
    "actor": ("Himself", "Narrator", "Host", "Policeman", "Doctor", "Man in Bar", "Fisherman"),
    "actress": ("Herself", "Narrator", "Host", "Dancer", "Woman", "Nurse", "Queen"),
}
_CHARACTER_TABLE = choice_tables(
    [
        [1 / (1 + names.index(name)) if name in names else 0 for name in NAMED_CHARACTERS]
        for names in _FREQUENT.values()
    ]
)


def cast_info_columns(world: World) -> Iterator[list[Column]]:
    """The ordinary rows of `cast_info`."""
    notes = texts(NOTES)
    for ids, rows in world.of_movies("cast_info", world.by_fame(_CAST_WEIGHTS)):
        movies = world.movies.block(ids)
        words = world.draw("part", rows.ids)
        topic = movies.topic[rows.parent]
        role = _ROLE_TABLE[topic, level(words, 0)] + 1
        animated = (topic == ANIMATION).astype(np.int64)
        note = NOTE_TABLE[role - 1 + len(ROLES) * animated, level(words, 1)]
        plays = role <= _ACTRESS
        yield [
            rows.ids,
            _person(world, movies, rows, role, words),
            ids[rows.parent],
            optional(np.where(plays, _character(world, rows, role), 0)),
            take(notes, np.maximum(note - 1, 0), note == 0),
            optional(np.where(plays & (level(words, 2) < LEVELS // 2), rows.slot + 1, 0)),
            role,
        ]


def _person(world: World, movies: Movies, rows: Children, role: Ints, words: Words) -> Ints:
    """Somebody of the role's typical gender, mostly (3 of 4) from the movie's region."""
    gender = _GENDER_TABLE[role - 1, level(words, 3)]
    bits = level(words, 4)
    home = movies.slot[rows.parent] * REGIONS // SLOTS
    region = np.where(bits < LEVELS * 3 // 4, home, bits % REGIONS)
    classes = region * len(GENDERS) + gender
    return world.persons.pick(classes, world.draw("person of part", rows.ids))


def _character(world: World, rows: Children, role: Ints) -> Ints:
    """A character for each part: 0 for every fifth, a frequent one for every eighth."""
    words = world.draw("character of part", rows.ids)
    female = (role == _ACTRESS).astype(np.int64)
    chance = level(words, 0)
    own = world.characters.pick(female, words)
    frequent = _CHARACTER_TABLE[female, level(words, 1)] + 1
    return np.where(chance < LEVELS // 5, 0, np.where(chance < LEVELS // 3, frequent, own))
