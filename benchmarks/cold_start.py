"""How long the command line keeps people waiting: `python benchmarks/cold_start.py [--repeats 5]`.

Times `llmtune --help` and `llmtune suggest` (TPC-H at scale 0.1, 8 candidates, the
shipped adapter) as processes of their own. The data set is loaded and the base
model converted beforehand: both happen once on a machine.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

LLMTUNE = Path(sys.executable).with_name("llmtune")
SUGGEST = ("suggest", "--workload", "tpch", "--scale", "0.1", "--candidates", "8", "--json")


def run(*arguments: str) -> tuple[float, float]:
    """Wall seconds and the peak resident MiB of one call."""
    started = time.perf_counter()
    process = subprocess.Popen([LLMTUNE, *arguments], stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - started
    assert os.waitstatus_to_exitcode(status) == 0
    return seconds, usage.ru_maxrss / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=5)
    repeats = parser.parse_args().repeats
    run(*SUGGEST)
    print("| command | median seconds | slowest | peak memory |")
    print("|---|---|---|---|")
    for arguments in (("--help",), SUGGEST):
        found = [run(*arguments) for _ in range(repeats)]
        seconds = [one for one, _ in found]
        peak = max(memory for _, memory in found)
        print(
            f"| `llmtune {' '.join(arguments)}` | {statistics.median(seconds):.2f} "
            f"| {max(seconds):.2f} | {peak:.0f} MiB |"
        )


if __name__ == "__main__":
    main()
