"""How many rows each table has at a scale factor."""

from __future__ import annotations

from llmtune.errors import UnknownName, UsageError
from workloads.job.schema import ROW_COUNTS
from workloads.job.synthetic.dimensions import DIMENSIONS

SYNTHETIC_SCALE = 0.03
"""The default: 2.2 million rows."""

FEWEST_ROWS = 300
"""A scaled table never has fewer: the notable movies and what belongs to them must fit."""

LARGEST_SCALE = 59.0
"""Above it the ids of `cast_info` overflow their 32 bits."""


def check_scale(scale: float) -> None:
    """Accept a scale factor.

    Raises:
        UsageError: it is not a number above 0 and up to `LARGEST_SCALE`.
    """
    if not 0 < scale <= LARGEST_SCALE:
        raise UsageError(
            f"the scale factor must be above 0 and at most {LARGEST_SCALE:g}, not {scale}"
        )


def row_count(table: str, scale: float) -> int:
    """The rows of `table` at `scale` (1: as many as the real table has).

    The small tables of types are the same at any scale.

    Raises:
        UsageError: the scale factor is not one, or there is no such table.
    """
    check_scale(scale)
    if table not in ROW_COUNTS:
        raise UnknownName("IMDb table", table, ROW_COUNTS)
    rows = ROW_COUNTS[table]
    return rows if table in DIMENSIONS else max(FEWEST_ROWS, round(rows * scale))
