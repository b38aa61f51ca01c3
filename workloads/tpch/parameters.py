"""Substitution parameters of the 22 query templates.

Source: TPC-H specification, sections 2.4.1.3 to 2.4.22.3 (ranges) and 2.4.1.4 to
2.4.22.4 (the validation values).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random
from typing import TypeAlias

from workloads.tpch import vocabulary as words

Parameters: TypeAlias = dict[str, str]
"""Placeholder name to the text that replaces it in the template."""

NUMBERS = range(1, 23)
"""The templates' numbers."""


def validation_parameters(number: int, scale: float) -> Parameters:
    """The values for which the specification publishes answers."""
    return {**_VALIDATION[number], **_scaled(number, scale)}


def drawn_parameters(number: int, scale: float, seed: int, stream: int = 1) -> Parameters:
    """Random values within the specification's ranges.

    Every (seed, stream, template) has a generator of its own, so that adding a
    template or a stream leaves all other draws as they are.
    """
    rng = Random(f"tpch/{seed}/{stream}/{number}")  # noqa: S311 - a workload, not a secret
    return {**_DRAWS[number](rng), **_scaled(number, scale)}


def _scaled(number: int, scale: float) -> Parameters:
    return {"fraction": f"{0.0001 / scale:.15f}"} if number == 11 else {}


def _integer(rng: Random, low: int, high: int) -> str:
    return str(rng.randint(low, high))


def _year(rng: Random) -> str:
    return f"{rng.randint(1993, 1997)}-01-01"


def _month(rng: Random, first: tuple[int, int], last: tuple[int, int]) -> str:
    """The first day of a month; `first` and `last` are (year, month), inclusive."""
    count = rng.randint(first[0] * 12 + first[1] - 1, last[0] * 12 + last[1] - 1)
    return f"{count // 12}-{count % 12 + 1:02d}-01"


def _phrase(rng: Random, *syllables: Sequence[str]) -> str:
    return " ".join(rng.choice(choices) for choices in syllables)


def _nation(rng: Random) -> str:
    return rng.choice(list(words.NATIONS))


def _two_nations(rng: Random) -> Parameters:
    first, second = rng.sample(list(words.NATIONS), 2)
    return {"nation1": first, "nation2": second}


def _nation_of_region(rng: Random) -> Parameters:
    nation = _nation(rng)
    return {"nation": nation, "region": words.NATIONS[nation]}


def _two_modes(rng: Random) -> Parameters:
    first, second = rng.sample(words.SHIP_MODES, 2)
    return {"shipmode1": first, "shipmode2": second}


def _three_brands(rng: Random) -> Parameters:
    return {f"brand{place}": rng.choice(words.BRANDS) for place in (1, 2, 3)}


def _numbered(name: str, values: Sequence[object]) -> Parameters:
    return {f"{name}{place}": str(value) for place, value in enumerate(values, 1)}


_PART_TYPE = (words.TYPE_SIZES, words.TYPE_FINISHES, words.TYPE_METALS)

_DRAWS: dict[int, Callable[[Random], Parameters]] = {
    1: lambda rng: {"delta": _integer(rng, 60, 120)},
    2: lambda rng: {
        "size": _integer(rng, 1, 50),
        "type": rng.choice(words.TYPE_METALS),
        "region": rng.choice(words.REGIONS),
    },
    3: lambda rng: {
        "segment": rng.choice(words.SEGMENTS),
        "date": f"1995-03-{rng.randint(1, 31):02d}",
    },
    4: lambda rng: {"date": _month(rng, (1993, 1), (1997, 10))},
    5: lambda rng: {"region": rng.choice(words.REGIONS), "date": _year(rng)},
    6: lambda rng: {
        "date": _year(rng),
        "discount": f"0.0{rng.randint(2, 9)}",
        "quantity": _integer(rng, 24, 25),
    },
    7: _two_nations,
    8: lambda rng: {**_nation_of_region(rng), "type": _phrase(rng, *_PART_TYPE)},
    9: lambda rng: {"color": rng.choice(words.COLORS)},
    10: lambda rng: {"date": _month(rng, (1993, 2), (1995, 1))},
    11: lambda rng: {"nation": _nation(rng)},
    12: lambda rng: {**_two_modes(rng), "date": _year(rng)},
    13: lambda rng: {
        "word1": rng.choice(words.COMMENT_ADJECTIVES),
        "word2": rng.choice(words.COMMENT_NOUNS),
    },
    14: lambda rng: {"date": _month(rng, (1993, 1), (1997, 12))},
    15: lambda rng: {"date": _month(rng, (1993, 1), (1997, 10))},
    16: lambda rng: {
        "brand": rng.choice(words.BRANDS),
        "type": _phrase(rng, words.TYPE_SIZES, words.TYPE_FINISHES),
        **_numbered("size", rng.sample(range(1, 51), 8)),
    },
    17: lambda rng: {
        "brand": rng.choice(words.BRANDS),
        "container": _phrase(rng, words.CONTAINER_SIZES, words.CONTAINER_KINDS),
    },
    18: lambda rng: {"quantity": _integer(rng, 312, 315)},
    19: lambda rng: {
        "quantity1": _integer(rng, 1, 10),
        "quantity2": _integer(rng, 10, 20),
        "quantity3": _integer(rng, 20, 30),
        **_three_brands(rng),
    },
    20: lambda rng: {
        "color": rng.choice(words.COLORS),
        "date": _year(rng),
        "nation": _nation(rng),
    },
    21: lambda rng: {"nation": _nation(rng)},
    22: lambda rng: _numbered("code", rng.sample(words.COUNTRY_CODES, 7)),
}

_VALIDATION: dict[int, Parameters] = {
    1: {"delta": "90"},
    2: {"size": "15", "type": "BRASS", "region": "EUROPE"},
    3: {"segment": "BUILDING", "date": "1995-03-15"},
    4: {"date": "1993-07-01"},
    5: {"region": "ASIA", "date": "1994-01-01"},
    6: {"date": "1994-01-01", "discount": "0.06", "quantity": "24"},
    7: {"nation1": "FRANCE", "nation2": "GERMANY"},
    8: {"nation": "BRAZIL", "region": "AMERICA", "type": "ECONOMY ANODIZED STEEL"},
    9: {"color": "green"},
    10: {"date": "1993-10-01"},
    11: {"nation": "GERMANY"},
    12: {"shipmode1": "MAIL", "shipmode2": "SHIP", "date": "1994-01-01"},
    13: {"word1": "special", "word2": "requests"},
    14: {"date": "1995-09-01"},
    15: {"date": "1996-01-01"},
    16: {
        "brand": "Brand#45",
        "type": "MEDIUM POLISHED",
        **_numbered("size", (49, 14, 23, 45, 19, 3, 36, 9)),
    },
    17: {"brand": "Brand#23", "container": "MED BOX"},
    18: {"quantity": "300"},
    19: {
        **_numbered("quantity", (1, 10, 20)),
        **_numbered("brand", ("Brand#12", "Brand#23", "Brand#34")),
    },
    20: {"color": "forest", "date": "1994-01-01", "nation": "CANADA"},
    21: {"nation": "SAUDI ARABIA"},
    22: _numbered("code", (13, 31, 23, 29, 30, 18, 17)),
}
