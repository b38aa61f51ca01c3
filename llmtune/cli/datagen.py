"""`llmtune datagen`: measure a matrix and write labelled pairs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from llmtune.cli import options

if TYPE_CHECKING:
    from datagen.generate import GenerationPlan
    from datagen.matrix import Matrix, MatrixHeader, Run
    from llmtune.cli.bench import Bench
    from llmtune.cli.progress import Reporter
    from llmtune.postgres.what_if import WhatIfFeatures


def datagen(
    out: Annotated[Path, typer.Option(help="Folder for the matrix and the pairs.")],
    target: options.Target = "embedded",
    workload: options.Workload = "tpch",
    scale: options.Scale = 0.1,
    cores: options.Cores = None,
    memory: options.Memory = None,
    bindir: options.Bindir = None,
    sampled: Annotated[int, typer.Option(help="Sampled configurations to measure.")] = 60,
    refined: Annotated[
        int, typer.Option(help="Further ones that the surrogate proposes from the first.")
    ] = 40,
    verified: Annotated[int, typer.Option(help="Repeats of configurations chosen as labels.")] = 20,
    mixes: Annotated[int, typer.Option(help="Mixes to label: the number of pairs.")] = 200,
    held_out: Annotated[
        float, typer.Option(help="Share of query templates and mixes kept from training.")
    ] = 0.2,
    seed: options.Seed = 0,
    json: options.Json = False,
) -> None:
    """Measure queries x configurations and turn them into training pairs.

    Stopped at any moment and called again, it goes on with the first configuration
    that is not measured yet.
    """
    from datagen.generate import GenerationPlan
    from llmtune.cli.bench import TargetRequest, WorkloadRequest, open_bench
    from llmtune.cli.output import print_json, writable
    from llmtune.cli.progress import Reporter

    plan = GenerationPlan(sampled, refined, verified, mixes, held_out, seed)
    writable(out)
    reporter = Reporter(quiet=json)
    with open_bench(
        TargetRequest(target, cores, memory, bindir),
        WorkloadRequest(workload, scale, seed),
        reporter,
    ) as bench:
        summary = _generate(bench, plan, out, reporter)
    if json:
        print_json(summary)


def _generate(
    bench: Bench, plan: GenerationPlan, out: Path, reporter: Reporter
) -> dict[str, object]:
    from datagen.generate import draw_mixes, label_tolerance, measure, pairs
    from datagen.measure import MatrixWriter
    from datagen.pairs import HELD_OUT_FILE, TRAIN_FILE, write_pairs
    from llmtune.model.prompt import PromptCodec
    from llmtune.postgres.what_if import WhatIfFeatures

    mixes = draw_mixes(bench.workload, plan)
    what_if = WhatIfFeatures(bench.target, bench.database, bench.workload, bench.space)
    header = _header(bench, what_if, plan.seed)
    writer = MatrixWriter(out / "matrix", header, bench.benchmark(), what_if)
    wanted = plan.sampled + plan.refined + plan.verified
    with reporter.bar("Measuring") as advance:

        def on_run(run: Run) -> None:
            advance(f"run {run.number + 1} of {wanted}", (run.number + 1) / wanted)

        matrix = measure(writer, bench.space, what_if, mixes, plan, on_run)
    made = list(pairs(matrix, bench.space, bench.profile, mixes, PromptCodec(bench.space)))
    for side, name in (("train", TRAIN_FILE), ("held_out", HELD_OUT_FILE)):
        write_pairs(out / name, [pair for pair in made if pair.metadata["split"] == side])
    return _summary(matrix, len(made), label_tolerance(matrix), [p.metadata["ratio"] for p in made])


def _header(bench: Bench, what_if: WhatIfFeatures, seed: int) -> MatrixHeader:
    from datagen.matrix import MatrixHeader
    from llmtune import __version__

    return MatrixHeader(
        data_set=bench.workload.data_set.name,
        server_version=bench.target.version,
        cores=bench.target.hardware.cores,
        memory=bench.target.hardware.memory,
        seed=seed,
        catalogue_hash=bench.space.catalogue_hash,
        code_version=__version__,
        profile=bench.profile.to_json(),
        feature_names=what_if.names,
    )


def _summary(
    matrix: Matrix, count: int, tolerance: float, ratios: list[float]
) -> dict[str, object]:
    from statistics import median

    return {
        "runs": len(matrix.runs),
        "complete_runs": sum(run.complete for run in matrix.runs),
        "pairs": count,
        "tolerance": tolerance,
        "ratio_median": median(ratios),
        "ratio_best": max(ratios),
    }
