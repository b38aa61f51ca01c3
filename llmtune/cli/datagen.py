"""`llmtune datagen`: measure a matrix and write labelled pairs."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from llmtune.cli import options
from llmtune.cli.grouped import grouped
from llmtune.cli.option_groups import ServerOptions, WorkloadOptionGroup

if TYPE_CHECKING:
    from datagen.generate import GenerationPlan
    from datagen.matrix import Matrix, Run
    from datagen.measure import Refusal
    from datagen.pairs import Pair
    from llmtune.cli.bench import Bench
    from llmtune.cli.progress import Reporter
    from llmtune.tuning.requests import WorkloadRequest
    from workloads.workload import AnyWorkload


@dataclass(frozen=True, slots=True)
class Summary:
    """What was measured and written.

    Attributes:
        complete_runs: runs in which every query succeeded.
        repeated: pairs whose label was measured in two runs or more.
        ratio_median, ratio_best: how many times better than the default the labels
            are, over the pairs; by the runs that they were chosen from, so too good.
    """

    runs: int
    complete_runs: int
    pairs: int
    repeated: int
    ratio_median: float
    ratio_best: float

    def text(self, out: Path) -> str:
        """One line for people."""
        return (
            f"{self.runs} runs, {self.complete_runs} of them complete; {self.pairs} pairs in "
            f"{out}, the labels of {self.repeated} measured more than once. Labels are "
            f"{self.ratio_median:.2f}x better than the default in the median. That comes from the "
            "runs that they were chosen by, so it is somewhat too good"
        )


@grouped
def datagen(
    out: Annotated[Path, typer.Option(help="Folder for the matrix and the pairs.")],
    server: ServerOptions,
    workload: WorkloadOptionGroup,
    sampled: Annotated[int, typer.Option(help="Sampled configurations to measure.")] = 60,
    refined: Annotated[
        int, typer.Option(help="Further ones, which the surrogate proposes from the first ones.")
    ] = 40,
    verified: Annotated[
        int, typer.Option(help="Repeated runs of configurations that were chosen as labels.")
    ] = 20,
    mixes: Annotated[
        int, typer.Option(help="Mixes of the workload's queries to label: the number of pairs.")
    ] = 200,
    held_out: Annotated[
        float, typer.Option(help="Share of query templates and mixes kept from training.")
    ] = 0.2,
    seed: options.Seed = 0,
    yes: options.Yes = False,
    json: options.Json = False,
) -> None:
    """Measure queries x configurations and turn them into training pairs.

    It may be stopped at any moment. Called again, it continues with the first configuration
    that is not measured yet, with the queries that it captured or synthesized, and without
    those that it left out.
    """
    from datagen.folder_lock import folder_lock
    from datagen.generate import GenerationPlan
    from datagen.matrix_files import MATRIX_FOLDER, measured_queries
    from llmtune.cli.bench import open_bench
    from llmtune.cli.kept_queries import found_again
    from llmtune.cli.output import print_json, print_text
    from llmtune.cli.progress import Reporter
    from llmtune.cli.safety import own_safety
    from llmtune.tuning.result_file import ready_folder

    plan = GenerationPlan(sampled, refined, verified, mixes, held_out, seed)
    ready_folder(out)
    reporter = Reporter(quiet=json)
    request = found_again(workload.request(seed, server.target), out, reporter)
    _check_templates(request, plan)
    safety = own_safety("datagen", reporter, yes=yes)
    with (
        folder_lock(out),
        reporter.resumable("the same `llmtune datagen`"),
        open_bench(
            server.request(),
            request,
            reporter,
            safety,
            queries_only=True,
            proven=measured_queries(out / MATRIX_FOLDER),
        ) as bench,
    ):
        summary = _generate(_kept(bench, request, plan, out), plan, out, reporter)
    if json:
        print_json(asdict(summary))
    else:
        print_text(summary.text(out))


def _check_templates(request: WorkloadRequest, plan: GenerationPlan) -> None:
    """Refuse a workload of too few templates before its data are loaded for nothing.

    What only a running server can tell is refused once it has told it.
    """
    from workloads.registry import is_live, workload

    if not is_live(request.name):
        _check_split(workload(request.name, request.options), plan)


def _check_split(wanted: AnyWorkload, plan: GenerationPlan) -> None:
    from datagen.split import split_templates
    from llmtune.cli.bench import query_workload

    split_templates((query.template for query in query_workload(wanted).queries), plan.held_out)


def _kept(bench: Bench, request: WorkloadRequest, plan: GenerationPlan, out: Path) -> Bench:
    """The bench with its queries as the next call will find them, where only the server told them.

    Its counts and its statistics move on, and with them what it tells.
    """
    from llmtune.cli.kept_queries import kept_bench
    from workloads.registry import is_live

    if is_live(request.name):
        _check_split(bench.workload, plan)  # too few would be found again
    return kept_bench(request, out, bench)[1]


def _generate(bench: Bench, plan: GenerationPlan, out: Path, reporter: Reporter) -> Summary:
    from datagen.generate import draw_mixes, measure, pairs
    from datagen.matrix import header_of
    from datagen.matrix_files import MATRIX_FOLDER
    from datagen.measure import MatrixWriter
    from datagen.pair_files import held_out_templates
    from llmtune.model.prompt import PromptCodec

    benchmark = bench.query_benchmark()
    mixes = draw_mixes(benchmark.workload, plan, held_out_templates(out))
    what_if = bench.what_if_features()
    header = header_of(
        bench.workload,
        bench.database,
        bench.profile,
        bench.space,
        feature_names=what_if.names,
        clients=bench.busy,
        seed=plan.seed,
    )
    writer = MatrixWriter(out / MATRIX_FOLDER, header, benchmark, what_if, _refusal(bench))
    wanted = plan.sampled + plan.refined + plan.verified
    with reporter.bar("Measuring") as advance:

        def on_run(run: Run) -> None:
            advance(f"run {run.number + 1} of {wanted}", (run.number + 1) / wanted)

        matrix = measure(writer, bench.space, what_if, mixes, plan, on_run)
    made = list(pairs(matrix, bench.space, bench.profile, mixes, PromptCodec(bench.space)))
    _write(made, out)
    return _summary(matrix, made)


def _refusal(bench: Bench) -> Refusal:
    """Asks the guards that also a session's trials pass."""
    from dataclasses import replace

    from llmtune.tuning.guards import refusal

    return lambda configuration, clients: refusal(
        configuration, bench.space, replace(bench.facts, clients=clients)
    )


def _write(pairs: list[Pair], out: Path) -> None:
    """Both sides, each to its own file."""
    from datagen.pairs import HELD_OUT_FILE, TRAIN_FILE, write_pairs

    for side, name in (("train", TRAIN_FILE), ("held_out", HELD_OUT_FILE)):
        write_pairs(out / name, [pair for pair in pairs if pair.metadata["split"] == side])


def _summary(matrix: Matrix, made: list[Pair]) -> Summary:
    from statistics import median

    ratios = [pair.metadata["ratio"] for pair in made]
    return Summary(
        runs=len(matrix.runs),
        complete_runs=sum(run.complete for run in matrix.runs),
        pairs=len(made),
        repeated=sum(pair.metadata["repeats"] > 1 for pair in made),
        ratio_median=median(ratios),
        ratio_best=max(ratios),
    )
