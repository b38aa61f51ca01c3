"""How fast the synthetic IMDb is generated: `python benchmarks/synthetic_imdb_speed.py [SCALE]`.

CPU seconds of one process for the CSV bytes alone, without a server; and the most
memory it took, which must not grow with the scale.
"""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Iterator

from workloads.job.synthetic import SYNTHETIC_SCALE, synthetic_rows


def main(scale: float) -> None:
    total_rows, total_seconds = 0, 0.0
    for table, source in synthetic_rows(scale, seed=1).items():
        started = time.process_time()
        rows = count(source())
        seconds = time.process_time() - started
        print(f"{table:16} {rows:11,} rows {seconds:8.2f} s")
        total_rows, total_seconds = total_rows + rows, total_seconds + seconds
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    rate = total_rows / total_seconds
    print(f"{total_rows:,} rows in {total_seconds:.1f} s: {rate:,.0f} rows/s, {memory:.0f} MiB")


def count(blocks: Iterator[bytes]) -> int:
    return sum(block.count(b"\n") for block in blocks)


if __name__ == "__main__":
    main(float(sys.argv[1]) if len(sys.argv) > 1 else SYNTHETIC_SCALE)
