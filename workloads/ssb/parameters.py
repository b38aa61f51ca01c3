"""Parameters of the 13 queries: the paper's own, or drawn so that as many rows match.

Source: O'Neil et al., "The Star Schema Benchmark", section 4. A drawn value is of
the same kind as the paper's, so that its filter factor stays.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import TypeAlias

from workloads.ssb.vocabulary import (
    BRANDS_IN_CATEGORY,
    CATEGORIES,
    CITIES_IN_NATION,
    MAKERS,
    city,
)
from workloads.tpch.vocabulary import NATIONS, REGIONS

Parameters: TypeAlias = dict[str, str]
"""Placeholder name to the text that replaces it in the template."""

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_FIRST_YEAR, _LAST_YEAR = 1992, 1997
"""Years whose every month has orders; in 1998 they end with July."""


def paper_parameters(name: str) -> Parameters:
    """The values of query `name`, such as `q2.1`, as the paper prints it."""
    return dict(_PAPER[name])


def drawn_parameters(name: str, seed: int) -> Parameters:
    """Random values; every (seed, query) has a generator of its own."""
    rng = Random(f"ssb/{seed}/{name}")  # noqa: S311 - a workload, not a secret
    return _DRAWS[name](rng)


def _year(rng: Random) -> str:
    return str(rng.randint(_FIRST_YEAR, _LAST_YEAR))


def _discount(rng: Random) -> str:
    return str(rng.randint(1, 9))


def _quantity(rng: Random) -> str:
    return str(rng.randint(1, 41))


def _category(rng: Random) -> Parameters:
    return {"category": rng.choice(CATEGORIES), "region": rng.choice(REGIONS)}


def _eight_brands(rng: Random) -> Parameters:
    category, first = rng.choice(CATEGORIES), rng.randint(1, BRANDS_IN_CATEGORY - 7)
    brands = {"brand1": f"{category}{first:02d}", "brand2": f"{category}{first + 7:02d}"}
    return {**brands, "region": rng.choice(REGIONS)}


def _one_brand(rng: Random) -> Parameters:
    line = rng.randint(1, BRANDS_IN_CATEGORY)
    return {"brand": f"{rng.choice(CATEGORIES)}{line:02d}", "region": rng.choice(REGIONS)}


def _two_cities(rng: Random) -> Parameters:
    nation = rng.choice(list(NATIONS))
    first, second = rng.sample(range(CITIES_IN_NATION), 2)
    return {"city1": city(nation, first), "city2": city(nation, second)}


def _cities_and_month(rng: Random) -> Parameters:
    return {**_two_cities(rng), "month": f"{rng.choice(_MONTHS)}{_year(rng)}"}


def _two_makers(rng: Random) -> Parameters:
    first, second = sorted(rng.sample(MAKERS, 2))
    return {"mfgr1": first, "mfgr2": second, "region": rng.choice(REGIONS)}


def _suppliers_category(rng: Random) -> Parameters:
    nation = rng.choice(list(NATIONS))
    return {
        "nation": nation,
        "region": NATIONS[nation],
        "category": rng.choice(CATEGORIES),
        "year": _year(rng),
    }


_DRAWS: dict[str, Callable[[Random], Parameters]] = {
    "q1.1": lambda rng: {
        "year": _year(rng),
        "discount": _discount(rng),
        "quantity": str(rng.randint(24, 26)),
    },
    "q1.2": lambda rng: {
        "month": f"{_year(rng)}{rng.randint(1, 12):02d}",
        "discount": _discount(rng),
        "quantity": _quantity(rng),
    },
    "q1.3": lambda rng: {
        "week": str(rng.randint(1, 52)),
        "year": _year(rng),
        "discount": _discount(rng),
        "quantity": _quantity(rng),
    },
    "q2.1": _category,
    "q2.2": _eight_brands,
    "q2.3": _one_brand,
    "q3.1": lambda rng: {"region": rng.choice(REGIONS)},
    "q3.2": lambda rng: {"nation": rng.choice(list(NATIONS))},
    "q3.3": _two_cities,
    "q3.4": _cities_and_month,
    "q4.1": _two_makers,
    "q4.2": lambda rng: {**_two_makers(rng), "year": _year(rng)},
    "q4.3": _suppliers_category,
}

_PAPER: dict[str, Parameters] = {
    "q1.1": {"year": "1993", "discount": "2", "quantity": "25"},
    "q1.2": {"month": "199401", "discount": "5", "quantity": "26"},
    "q1.3": {"week": "6", "year": "1994", "discount": "6", "quantity": "26"},
    "q2.1": {"category": "MFGR#12", "region": "AMERICA"},
    "q2.2": {"brand1": "MFGR#2221", "brand2": "MFGR#2228", "region": "ASIA"},
    "q2.3": {"brand": "MFGR#2239", "region": "EUROPE"},
    "q3.1": {"region": "ASIA"},
    "q3.2": {"nation": "UNITED STATES"},
    "q3.3": {"city1": "UNITED KI1", "city2": "UNITED KI5"},
    "q3.4": {"city1": "UNITED KI1", "city2": "UNITED KI5", "month": "Dec1997"},
    "q4.1": {"region": "AMERICA", "mfgr1": "MFGR#1", "mfgr2": "MFGR#2"},
    "q4.2": {"region": "AMERICA", "year": "1997", "mfgr1": "MFGR#1", "mfgr2": "MFGR#2"},
    "q4.3": {
        "region": "AMERICA",
        "nation": "UNITED STATES",
        "year": "1997",
        "category": "MFGR#14",
    },
}

NAMES = tuple(_PAPER)
"""The queries in the paper's order."""
