"""How many rows the dimensions have, next to TPC-H's.

Source: O'Neil et al., "The Star Schema Benchmark", section 3: a fifth of TPC-H's
customers and suppliers, and parts that grow with the logarithm of the scale.
"""

from __future__ import annotations

import math

KEPT_ONE_IN = 5
"""TPC-H has 150,000 customers and 10,000 suppliers at scale 1, this benchmark 30,000 and 2,000."""

_PARTS = 200_000


def part_count(scale: float) -> int:
    """Rows of `part`: 200,000 * floor(1 + log2 scale); below scale 1 as TPC-H has them."""
    if scale >= 1:
        return _PARTS * math.floor(1 + math.log2(scale))
    return max(int(_PARTS * scale), 1)
