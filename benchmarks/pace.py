"""How much of the noise of repeated measurements the machine's pace takes away.

    python benchmarks/pace.py [--workload tpch] [--scale 0.3] [--runs 20]

Measures the default configuration again and again on an embedded server. The noise is
the standard deviation of the logarithm of the total, as it was measured and at the
reference pace. What queries feel of the probe's slowness is the slope of the one's logarithm
over the other's. Prints a Markdown table.
"""

from __future__ import annotations

import argparse
from math import log
from statistics import stdev

import numpy as np
from scipy.stats import linregress

from llmtune.cli.bench import open_bench
from llmtune.cli.progress import Reporter
from llmtune.cli.safety import own_safety
from llmtune.trial import Trial
from llmtune.tuning.requests import TargetRequest, WorkloadRequest
from workloads.options import WorkloadOptions

RESAMPLES = 2000


def measured(workload: str, scale: float, runs: int) -> list[Trial]:
    reporter = Reporter(quiet=True)
    wanted = WorkloadRequest(workload, WorkloadOptions(scale=scale, seed=0))
    safety = own_safety("pace", reporter, yes=True)
    with open_bench(TargetRequest("embedded"), wanted, reporter, safety) as bench:
        benchmark = bench.query_benchmark()
        default = bench.space.baseline()
        return [benchmark.measure(default, number=n, source="default") for n in range(runs)]


def spread(values: list[float]) -> float:
    """Of values that differ by factors: about their standard deviation over their mean."""
    return stdev(map(log, values))


def felt(trials: list[Trial]) -> str:
    """The slope, with its bootstrap 95% interval."""
    known = [(t.pace.probe_s, t.value * t.pace.ratio) for t in trials if t.value and t.pace]
    probes, totals = np.log(known).T
    drawn = np.random.default_rng(0).integers(len(known), size=(RESAMPLES, len(known)))
    slopes = [linregress(probes[rows], totals[rows]).slope for rows in drawn]
    low, high = np.quantile(slopes, (0.025, 0.975))
    return f"{linregress(probes, totals).slope:.2f} ({low:.2f} to {high:.2f})"


def section(title: str, trials: list[Trial]) -> str:
    good = [(t.value, t.pace.ratio) for t in trials if t.succeeded and t.value and t.pace]
    steady = [value for value, _ in good]
    raw = [value * ratio for value, ratio in good]
    pace = [ratio for _, ratio in good]
    return "\n".join(
        [
            f"## {title}, {len(good)} runs of the default",
            "",
            "| what | least | most | noise |",
            "|---|---|---|---|",
            *(
                f"| {name} | {min(values):.3f} | {max(values):.3f} | {spread(values):.1%} |"
                for name, values in (
                    ("total as measured, s", raw),
                    ("pace of the machine", pace),
                    ("total at the reference pace, s", steady),
                )
            ),
            "",
            f"Slope: {felt(trials)}.",
        ]
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--workload", default="tpch")
    parser.add_argument("--scale", type=float, default=0.3)
    parser.add_argument("--runs", type=int, default=20)
    given = parser.parse_args()
    trials = measured(given.workload, given.scale, given.runs)
    print(section(f"{given.workload}, scale {given.scale:g}", trials))


if __name__ == "__main__":
    main()
