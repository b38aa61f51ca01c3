"""The words that the dimensions and the queries' parameters are made of.

Source: O'Neil et al., "The Star Schema Benchmark", section 3.
"""

from __future__ import annotations

CITIES_IN_NATION = 10
BRANDS_IN_CATEGORY = 40

MAKERS = tuple(f"MFGR#{maker}" for maker in range(1, 6))
CATEGORIES = tuple(f"{maker}{category}" for maker in MAKERS for category in range(1, 6))

SEASONS = {
    **dict.fromkeys((1, 2), "Winter"),
    **dict.fromkeys((3, 4, 5), "Spring"),
    **dict.fromkeys((6, 7, 8), "Summer"),
    **dict.fromkeys((9, 10), "Fall"),
    **dict.fromkeys((11, 12), "Christmas"),
}
"""Month to selling season."""

HOLIDAYS = frozenset({(1, 1), (2, 20), (4, 20), (5, 20), (7, 4), (9, 5), (11, 24), (12, 25)})
"""(month, day) of what counts as a holiday in every year."""


def city(nation: str, digit: int) -> str:
    """A city's name: nine characters of its nation, padded, and a digit."""
    return f"{nation[:9]:9}{digit}"
