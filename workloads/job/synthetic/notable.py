"""Notable movies: a few entities listed by hand that every scale contains.

They are the answer where a query asks for one movie or one star. Their rows come
first in each table, so their ids are the same at any scale.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from hashlib import sha256
from importlib.resources import files
from typing import Any, TypeAlias

from workloads.job.synthetic.dimensions import CAST_TYPE, COMPANY_TYPE, INFO, KIND, LINK, ROLE
from workloads.job.synthetic.names import NAMED_CHARACTERS, sound_code
from workloads.job.synthetic.topics import NAMED_KEYWORDS

Row: TypeAlias = tuple[object, ...]
Entity: TypeAlias = Mapping[str, Any]

INDEX_INFOS = ("votes distribution", "votes", "rating", "top 250 rank", "bottom 10 rank")
"""The kinds of information that `movie_info_idx` holds; `movie_info` holds the others."""


@cache
def notable_rows() -> Mapping[str, tuple[Row, ...]]:
    """Each table's notable rows in the schema's order, ids from 1; most tables have some."""
    text = files(__package__).joinpath("notable.toml").read_text(encoding="utf-8")
    notables = _Notables(tomllib.loads(text))
    return {
        table: tuple((number, *row) for number, row in enumerate(rows, start=1))
        for table, rows in notables.rows().items()
    }


class _Notables:
    """The entities of the file, and the rows (without ids) that they become."""

    def __init__(self, document: dict[str, list[Entity]]) -> None:
        self._movies = document["movie"]
        self._persons = document["person"]
        self._companies = document["company"]
        self._movie = _numbers([movie["title"] for movie in self._movies])
        self._person = _numbers([person["name"] for person in self._persons])
        self._company = _numbers([company["name"] for company in self._companies])
        self._character = _numbers(NAMED_CHARACTERS)
        self._keyword = _numbers(NAMED_KEYWORDS)

    def rows(self) -> dict[str, Iterator[Row]]:
        return {
            "title": map(_title, self._movies),
            "name": map(_name, self._persons),
            "company_name": map(_company, self._companies),
            "keyword": ((word, sound_code(word) or None) for word in NAMED_KEYWORDS),
            "char_name": map(_character, NAMED_CHARACTERS),
            "aka_name": self._aka_names(),
            "person_info": self._person_infos(),
            "aka_title": self._aka_titles(),
            "movie_keyword": self._keywords(),
            "complete_cast": self._complete_casts(),
            "movie_info": self._infos(indexed=False),
            "movie_info_idx": self._infos(indexed=True),
            "movie_companies": self._movie_companies(),
            "cast_info": self._casts(),
            "movie_link": self._links(),
        }

    def _aka_names(self) -> Iterator[Row]:
        for number, person in enumerate(self._persons, start=1):
            for name in person.get("aka", ()):
                yield number, name, None, *_codes(name), _digest(name)

    def _person_infos(self) -> Iterator[Row]:
        for number, person in enumerate(self._persons, start=1):
            for kind, text, note in person.get("infos", ()):
                yield number, INFO[kind], text, note or None

    def _aka_titles(self) -> Iterator[Row]:
        for number, movie in enumerate(self._movies, start=1):
            for title in movie.get("aka", ()):
                kind, year = KIND[movie["kind"]], movie["year"]
                code, digest = sound_code(title), _digest(title)
                yield number, title, None, kind, year, code, None, None, None, None, digest

    def _keywords(self) -> Iterator[Row]:
        for number, movie in enumerate(self._movies, start=1):
            for word in movie.get("keywords", ()):
                yield number, self._keyword[word]

    def _complete_casts(self) -> Iterator[Row]:
        for number, movie in enumerate(self._movies, start=1):
            for subject, status in movie.get("complete", ()):
                yield number, CAST_TYPE[subject], CAST_TYPE[status]

    def _infos(self, *, indexed: bool) -> Iterator[Row]:
        for number, movie in enumerate(self._movies, start=1):
            for kind, text, *note in movie.get("infos", ()):
                if (kind in INDEX_INFOS) == indexed:
                    yield number, INFO[kind], text, *(note or [None])

    def _movie_companies(self) -> Iterator[Row]:
        for number, movie in enumerate(self._movies, start=1):
            for company, kind, note in movie.get("companies", ()):
                yield number, self._company[company], COMPANY_TYPE[kind], note or None

    def _casts(self) -> Iterator[Row]:
        for number, movie in enumerate(self._movies, start=1):
            for order, (person, role, note, character) in enumerate(movie.get("cast", ()), start=1):
                played = self._character[character] if character else None
                place = order if role in ("actor", "actress") else None
                yield self._person[person], number, played, note or None, place, ROLE[role]

    def _links(self) -> Iterator[Row]:
        for number, movie in enumerate(self._movies, start=1):
            for link, other in movie.get("links", ()):
                yield number, self._movie[other], LINK[link]


def _numbers(names: Sequence[str]) -> dict[str, int]:
    return {name: number for number, name in enumerate(names, start=1)}


def _title(movie: Entity) -> Row:
    title, episode = movie["title"], movie.get("episode")
    series = (None, 1 if episode else None, episode, None)
    kind, code = KIND[movie["kind"]], sound_code(title)
    return title, None, kind, movie["year"], None, code, *series, _digest(title)


def _name(person: Entity) -> Row:
    name = person["name"]
    return name, None, None, person["gender"], *_codes(name), _digest(name)


def _company(company: Entity) -> Row:
    name, code = company["name"], sound_code(company["name"])
    return name, f"[{company['country']}]", None, code, code, _digest(name)


def _character(name: str) -> Row:
    code = sound_code(name)
    return name, None, None, code, sound_code(name.rsplit(maxsplit=1)[-1]), _digest(name)


def _codes(name: str) -> tuple[str, str, str]:
    """The sound codes of `Surname, First`: as written, first name first, surname alone."""
    surname, _, first = name.partition(", ")
    return sound_code(surname + first), sound_code(first + surname), sound_code(surname)


def _digest(text: str) -> str:
    return sha256(text.encode()).hexdigest()[:32]
