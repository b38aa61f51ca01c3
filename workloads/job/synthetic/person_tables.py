"""Persons, their other names and what is told about them; and the characters they play."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any, NamedTuple

import numpy as np

from workloads.job.synthetic.columns import Column, digests, join, nulls, take, texts
from workloads.job.synthetic.countries import SLOTS
from workloads.job.synthetic.dimensions import INFO
from workloads.job.synthetic.draws import LEVELS, Ints, Words, choice_table, level
from workloads.job.synthetic.fanout import blocks
from workloads.job.synthetic.info_texts import DAYS, SENTENCES, dates, sentences
from workloads.job.synthetic.names import CULTURES, sound_code
from workloads.job.synthetic.world import GENDERS, MEN, REGIONS, WOMEN, World, culture_of_slot

_MIDDLES = (*[""] * 30, *(f" {letter}." for letter in "ABCDEFGHJKLMNPRSTW"))

_SLOTS_OF_REGION = SLOTS // REGIONS


class _Words(NamedTuple):
    """Words of all cultures in one vocabulary, with each culture's range and sound codes."""

    words: Any
    codes: Any
    starts: Ints
    counts: Ints

    def pick(self, groups: Ints, bits: Ints) -> Ints:
        """A word's place for each culture (or culture and gender)."""
        return self.starts[groups] + bits % self.counts[groups]


def _words(groups: Sequence[Sequence[str]], form: str = "{}") -> _Words:
    counts = np.array([len(group) for group in groups], dtype=np.int64)
    flat = [word for group in groups for word in group]
    codes = texts([sound_code(word) for word in flat])
    return _Words(
        texts([form.format(word) for word in flat]), codes, counts.cumsum() - counts, counts
    )


@cache
def _surnames() -> _Words:
    return _words([culture.surnames for culture in CULTURES.values()])


@cache
def _first_names(form: str) -> _Words:
    """The first names of each culture: the male ones, then the female ones of the next group."""
    groups = [names for culture in CULTURES.values() for names in (culture.male, culture.female)]
    return _words(groups, form)


@cache
def _middles() -> Any:
    return texts(_MIDDLES)


class _Persons(NamedTuple):
    """A block of ordinary persons: indices into the cultures, whether female, the gender."""

    culture: Ints
    female: Ints
    place: Ints


def _persons(world: World, ids: Ints, words: Words) -> _Persons:
    classes = world.persons.ranks(ids) % world.persons.classes
    region, place = classes // len(GENDERS), classes % len(GENDERS)
    slot = region * _SLOTS_OF_REGION + level(words, 4) % _SLOTS_OF_REGION
    unknown = level(words, 4) // 8 % 3 == 0
    female = np.where(place < MEN, False, np.where(place < MEN + WOMEN, True, unknown))
    return _Persons(culture_of_slot(slot), female.astype(np.int64), place)


def _names(persons: _Persons, surname_bits: Ints, words: Words) -> list[Column]:
    """`Surname, First M.` and an index that is unknown; then the three sound codes."""
    surnames, firsts = _surnames(), _first_names(", {}")
    surname = surnames.pick(persons.culture, surname_bits)
    first = firsts.pick(persons.culture * 2 + persons.female, level(words, 1))
    middle = level(words, 2) % len(_MIDDLES)
    name = join(take(surnames.words, surname), take(firsts.words, first), take(_middles(), middle))
    code = take(surnames.codes, surname)
    return [name, code, take(firsts.codes, first), code]


def name_columns(world: World) -> Iterator[list[Column]]:
    """The ordinary rows of `name`."""
    letters = texts(["m", "f"])
    gender_of_place = np.array([{"m": 0, "f": 1, None: 2}[gender] for gender in GENDERS])
    for ids in blocks(*world.ordinary("name")):
        words = world.draw("name", ids)
        persons = _persons(world, ids, words)
        name, *codes = _names(persons, level(words, 0), words)
        gender = gender_of_place[persons.place]
        shown = take(letters, gender % 2, gender == 2)
        digest = digests(words, world.draw("name digest", ids))
        yield [ids, name, nulls(len(ids)), nulls(len(ids)), shown, *codes, digest]


def aka_name_columns(world: World) -> Iterator[list[Column]]:
    """The ordinary rows of `aka_name`: the surname stays in two of three."""
    for ids, rows in world.of_persons("aka_name"):
        person_words = world.draw("name", ids)
        persons = _Persons(*(part[rows.parent] for part in _persons(world, ids, person_words)))
        words = world.draw("aka name", rows.ids)
        same = level(words, 3) < LEVELS * 2 // 3
        surname = np.where(same, level(person_words, 0)[rows.parent], level(words, 0))
        name, *codes = _names(persons, surname, words)
        digest = digests(words, world.draw("aka name digest", rows.ids))
        yield [rows.ids, ids[rows.parent], name, nulls(len(rows.ids)), *codes, digest]


_PERSON_INFOS = {
    "birth date": 26,
    "birth notes": 22,
    "birth name": 9,
    "height": 8,
    "death date": 8,
    "mini biography": 7,
    "spouse": 5,
    "trivia": 8,
    "other works": 4,
    "trade mark": 1,
    "nick names": 2,
}
_INFO_TABLE = np.array([INFO[name] for name in _PERSON_INFOS], dtype=np.int64)[
    choice_table(list(_PERSON_INFOS.values()))
]
_AUTHORS = (
    "Volker Boehm",
    *(f"{a} {b}" for a in CULTURES["english"].male for b in CULTURES["english"].surnames[::40]),
)


def person_info_columns(world: World) -> Iterator[list[Column]]:
    """The ordinary rows of `person_info`: a man is taller, a biography has an author."""
    heights = [f"{feet}' {inches}\"" for feet in (4, 5, 6) for inches in range(12)]
    vocabulary = texts([*sentences(), *heights, *dates()])
    authors = texts(_AUTHORS)
    for ids, rows in world.of_persons("person_info"):
        words = world.draw("person info", rows.ids)
        persons = _persons(world, ids, world.draw("name", ids))
        kind = _INFO_TABLE[level(words, 0)]
        height = 12 + 8 - 5 * persons.female[rows.parent] + level(words, 1) % 8
        place = level(words, 2) % SENTENCES
        place = np.where(kind == INFO["height"], SENTENCES + height, place)
        born = SENTENCES + len(heights) + _birth_date(words)
        place = np.where(kind == INFO["birth date"], born, place)
        author = np.maximum(level(words, 3) % (2 * len(_AUTHORS)) - len(_AUTHORS), 0)
        unsigned = kind != INFO["mini biography"]
        note = take(authors, author, unsigned)
        yield [rows.ids, ids[rows.parent], kind, take(vocabulary, place), note]


def _birth_date(words: Words) -> Ints:
    """Indices into `dates`: most were born in the middle of their span."""
    year = (level(words, 1) + level(words, 2)) * 100 // (2 * LEVELS)
    return year * DAYS + level(words, 3) % DAYS


def char_name_columns(world: World) -> Iterator[list[Column]]:
    """The ordinary rows of `char_name`: half of them have a surname."""
    surnames, firsts = _surnames(), _first_names("{}")
    separated = _words([culture.surnames for culture in CULTURES.values()], " {}")
    for ids in blocks(*world.ordinary("char_name")):
        words = world.draw("character", ids)
        female = world.characters.ranks(ids) % world.characters.classes
        culture = culture_of_slot(level(words, 0) % SLOTS)
        first = firsts.pick(culture * 2 + female, level(words, 1))
        surname = surnames.pick(culture, level(words, 2))
        middle = take(_middles(), level(words, 3) % len(_MIDDLES))
        name = join(take(firsts.words, first), middle, take(separated.words, surname))
        codes = [take(firsts.codes, first), take(surnames.codes, surname)]
        digest = digests(words, world.draw("character digest", ids))
        yield [ids, name, nulls(len(ids)), nulls(len(ids)), *codes, digest]
