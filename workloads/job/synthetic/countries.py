"""Countries: how many movies each has, what is spoken there, how people are named."""

from __future__ import annotations

from dataclasses import dataclass

from workloads.job.synthetic.draws import choice_table

SLOTS = 256
"""Movies, companies and (in coarser slots) persons come from these many equal shares."""


@dataclass(frozen=True, slots=True)
class Country:
    """One country.

    Attributes:
        name: as movie infos and notes spell it.
        code: as companies bear it.
        language: that most of its movies are in.
        culture: a key of `names.CULTURES`.
        weight: its share of all movies, in any unit.
    """

    name: str
    code: str
    language: str
    culture: str
    weight: float


_TABLE = """
USA us English english 88
UK gb English english 22
Canada ca English english 11
Australia au English english 6
Ireland ie English english 2
Germany de German german 15
Austria at German german 3
Switzerland ch German german 2
Netherlands nl Dutch german 4
Belgium be French french 2
France fr French french 16
Italy it Italian latin 11
Spain es Spanish latin 9
Mexico mx Spanish latin 6
Argentina ar Spanish latin 3
Portugal pt Portuguese latin 2
Brazil br Portuguese latin 5
Greece gr Greek latin 2
Sweden se Swedish nordic 5
Denmark dk Danish nordic 3
Norway no Norwegian nordic 2
Finland fi Finnish nordic 2
Russia ru Russian slavic 4
Poland pl Polish slavic 3
Czechoslovakia cz Czech slavic 2
Bulgaria bg Bulgarian slavic 1
Hungary hu Hungarian slavic 2
Japan jp Japanese japanese 14
India in Hindi indian 14
China cn Mandarin chinese 2
Hong_Kong hk Cantonese chinese 4
South_Korea kr Korean chinese 3
Turkey tr Turkish latin 2
"""


def _read(line: str) -> Country:
    name, code, language, culture, weight = line.split()
    return Country(name.replace("_", " "), f"[{code}]", language, culture, float(weight))


COUNTRIES = tuple(_read(line) for line in _TABLE.strip().splitlines())

COUNTRY_OF_SLOT = choice_table([country.weight for country in COUNTRIES], SLOTS)
"""The country (an index into `COUNTRIES`) of each slot; a country's slots are neighbours."""

LANGUAGES = tuple(dict.fromkeys(country.language for country in COUNTRIES))


def country_number(name: str) -> int:
    """The index of a country into `COUNTRIES`."""
    return next(number for number, country in enumerate(COUNTRIES) if country.name == name)
