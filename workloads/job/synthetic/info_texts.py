"""The texts of movie infos, as one vocabulary with a range for each kind of information."""

from __future__ import annotations

from functools import cache
from itertools import product
from typing import Any, NamedTuple

from workloads.job.synthetic.columns import texts
from workloads.job.synthetic.countries import COUNTRIES, LANGUAGES
from workloads.job.synthetic.movies import FIRST_YEAR, YEARS
from workloads.job.synthetic.topics import TOPICS

DAYS = 36
RUNTIMES = 240
CERTIFICATES = ("G", "PG", "PG-13", "R", "12", "16", "18", "Unrated")
GENRES = tuple(dict.fromkeys(genre for topic in TOPICS for genre in topic.genres))
SENTENCES = 4096
BUDGETS = 512
VOTES_FIELDS = 8
RATINGS = 99
DISTRIBUTIONS = 512
RANKS = 250


def _words(text: str) -> list[str]:
    return [word.strip() for word in text.split("|")]


_MONTHS = _words(
    "January|February|March|April|May|June|July|August|September|October|November|December"
)
_SUBJECTS = _words(
    "The director|The leading actor|A stuntman|The studio|An extra|The producer|The composer|"
    "The editor|A reviewer|The writer|The whole crew|A visitor|The camera operator|The heroine|"
    "The villain|A passer-by"
)
_VERBS = _words(
    "asked for|refused|lost|paid for|improvised|rehearsed|remembered|cut|painted|wrote about|"
    "dreamt of|repaired|invented|described|borrowed|hid"
)
_OBJECTS = _words(
    "the final scene.|a real tiger.|the old bridge.|three hundred costumes.|the opening song.|"
    "a vintage car.|the harbour at night.|an unusual ending.|the missing letter.|"
    "a hot-air balloon.|the train station.|a secret diary.|the wedding cake.|an empty theatre.|"
    "the first draft.|a thousand candles."
)


class InfoTexts(NamedTuple):
    """The vocabulary, and where the texts of each kind of information start in it."""

    vocabulary: Any
    starts: dict[str, int]


@cache
def movie_info_texts() -> InfoTexts:
    """What `movie_info` says; `plot` stands for every kind that is a sentence."""
    countries = [country.name for country in COUNTRIES]
    return _vocabulary(
        {
            "genres": GENRES,
            "languages": LANGUAGES,
            "countries": countries,
            "color info": ("Color", "Black and White"),
            "runtimes": [str(minutes) for minutes in range(1, RUNTIMES + 1)],
            "certificates": [f"{c}:{mark}" for c, mark in product(countries, CERTIFICATES)],
            "budget": [f"${250 * (step + 1) ** 2:,}" for step in range(BUDGETS)],
            "release dates": [f"{c}:{date}" for c, date in product(countries, dates())],
            "plot": sentences(),
        }
    )


@cache
def index_info_texts() -> InfoTexts:
    """What `movie_info_idx` says."""
    votes = [round(5 * (4096 / (4096 - fame)) ** 1.4) for fame in range(4096)]
    fields = range(VOTES_FIELDS)
    return _vocabulary(
        {
            "rating": [f"{tenths / 10:.1f}" for tenths in range(RATINGS)],
            "votes": [str(count + count * field // 9) for count in votes for field in fields],
            "votes distribution": [f"{_mixed(number):010d}" for number in range(DISTRIBUTIONS)],
            "rank": [str(rank + 1) for rank in range(RANKS)],
        }
    )


def dates() -> list[str]:
    """`DAYS` dates of each of `YEARS` years from `FIRST_YEAR`, in this order."""
    years = range(FIRST_YEAR, FIRST_YEAR + YEARS)
    return [f"{day} {month} {year}" for year, month, day in product(years, _MONTHS, (5, 14, 26))]


def sentences() -> list[str]:
    """`SENTENCES` different sentences."""
    return [" ".join(parts) for parts in product(_SUBJECTS, _VERBS, _OBJECTS)]


def _mixed(number: int) -> int:
    return number * 2_654_435_761 % 10_000_000_000


def _vocabulary(parts: dict[str, Any]) -> InfoTexts:
    words: list[str] = []
    starts = {}
    for kind, part in parts.items():
        starts[kind] = len(words)
        words += part
    return InfoTexts(texts(words), starts)
