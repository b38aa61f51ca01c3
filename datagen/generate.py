"""The whole of data generation: measure, refine, label, write pairs."""

from __future__ import annotations

import random
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Protocol

from datagen.label import Label, Labeller
from datagen.matrix import Matrix, Run
from datagen.measure import MatrixWriter
from datagen.pairs import Pair
from datagen.plan import schedule
from datagen.refine import REFINED, Refiner, WhatIf
from datagen.split import HELD_OUT, TRAIN, TemplateSplit, split_templates
from datagen.verify import VERIFIED, next_to_verify
from llmtune.errors import UsageError
from llmtune.knobs.configuration import Configuration
from llmtune.knobs.space import KnobSpace
from llmtune.postgres.profile import Profile
from workloads.mixes import draw_mix
from workloads.workload import Query, Workload

TRAIN_MIXES, HELD_OUT_MIXES = 40, 10
"""Mixes whose labels are verified, of each side. For those of the training side better
configurations are looked for as well."""

ROUND = 8
"""Runs between two fits of the surrogate."""


class Codec(Protocol):
    """Writes prompts and completions; `llmtune.model.prompt.PromptCodec` is the one."""

    def prompt(self, profile: Profile) -> str:
        """What the model is shown of a workload."""
        ...

    def completion(self, configuration: Configuration) -> str:
        """A configuration in the model's words."""
        ...


@dataclass(frozen=True, slots=True)
class GenerationPlan:
    """How much to measure and to write.

    Attributes:
        sampled: runs of the default, the rules and random configurations.
        refined: further runs that the surrogate proposes.
        verified: repeats of the configurations that were chosen as labels.
        mixes: mixes to label.
        held_out: the share of query templates, and of mixes, kept from training.
    """

    sampled: int = 60
    refined: int = 40
    verified: int = 20
    mixes: int = 200
    held_out: float = 0.2
    seed: int = 0

    def __post_init__(self) -> None:
        if self.sampled < 5:
            raise UsageError(f"at least 5 configurations must be measured, not {self.sampled}")
        if min(self.refined, self.verified) < 0 or self.mixes < 1:
            raise UsageError("refined and verified runs must not be negative, and mixes at least 1")
        if not 0 < self.held_out < 1:
            raise UsageError(f"the held-out share must lie between 0 and 1, not {self.held_out}")
        if not 0 < self.held_out_mixes < self.mixes:
            raise UsageError(
                f"a held-out share of {self.held_out} of {self.mixes} mixes leaves "
                f"{self.mixes - self.held_out_mixes} to train on and {self.held_out_mixes} held "
                "out; ask for more mixes, or for another share"
            )

    @property
    def held_out_mixes(self) -> int:
        """How many of the mixes are kept from training."""
        return round(self.mixes * self.held_out)


@dataclass(frozen=True, slots=True)
class Mix:
    """A weighted sub-workload and the side of the split that it belongs to."""

    workload: Workload
    side: str

    @property
    def weights(self) -> dict[str, float]:
        """Weight of each query id."""
        return {query.id: query.weight for query in self.workload.queries}


def measure(
    writer: MatrixWriter,
    space: KnobSpace,
    what_if: WhatIf,
    mixes: Sequence[Mix],
    plan: GenerationPlan,
    on_run: Callable[[Run], None],
) -> Matrix:
    """Grow the matrix to what the plan asks for; what is there already stays.

    There are fewer refined runs when the surrogate finds nothing new to measure.
    """
    drawn = schedule(space, plan.seed, writer.clients)
    for candidate in writer.missing(islice(drawn, plan.sampled)):
        on_run(writer.add(candidate))
    train, held_out = (
        [mix.weights for mix in mixes if mix.side == side] for side in (TRAIN, HELD_OUT)
    )
    train, held_out = train[:TRAIN_MIXES], held_out[:HELD_OUT_MIXES]
    while (missing := plan.refined - writer.measured(REFINED)) > 0:
        refiner = Refiner(writer.matrix, space, what_if)
        proposals = refiner.propose(train, min(ROUND, missing), seed=len(writer))
        if not proposals:
            break
        for candidate in proposals:
            on_run(writer.add(candidate))
    while writer.measured(VERIFIED) < plan.verified:
        doubtful = next_to_verify(Labeller(writer.matrix), space, [*train, *held_out])
        if doubtful is None:
            break
        on_run(writer.add(doubtful))
    return writer.matrix


def draw_mixes(workload: Workload, plan: GenerationPlan, kept: Collection[str] = ()) -> list[Mix]:
    """The mixes to label, training and held-out ones, from disjoint templates.

    Args:
        kept: templates that earlier pairs of the same data set hold out.

    Raises:
        UsageError: the workload has too few templates for two sides, or the share holds
            out others than `kept`.
    """
    split = _split(workload, plan, kept)
    held_out = plan.held_out_mixes
    train = _draw(workload, split, TRAIN, plan.mixes - held_out, plan.seed)
    return [*train, *_draw(workload, split, HELD_OUT, held_out, plan.seed)]


def _split(workload: Workload, plan: GenerationPlan, kept: Collection[str]) -> TemplateSplit:
    templates = [query.template for query in workload.queries]
    kept = set(kept).intersection(templates)  # others are refused with the matrix
    split = split_templates(templates, plan.held_out)
    if not split.held_out.issuperset(kept):
        raise UsageError(
            f"the pairs that are there hold out {', '.join(sorted(kept))}, and a held-out share "
            f"of {plan.held_out} does not; give the share that they were made with, or another "
            "folder"
        )
    return split


def _draw(
    workload: Workload, split: TemplateSplit, side: str, count: int, seed: int
) -> Iterator[Mix]:
    queries: tuple[Query, ...] = tuple(q for q in workload.queries if split.side(q) == side)
    part = Workload(workload.name, queries, workload.data_set, workload.objective)
    rng = random.Random(f"{seed}/{side}")  # noqa: S311 - sampling, not secrets
    for _ in range(count):
        yield Mix(draw_mix(part, rng), side)


def pairs(
    matrix: Matrix, space: KnobSpace, profile: Profile, mixes: Sequence[Mix], codec: Codec
) -> Iterator[Pair]:
    """One pair for each mix: its prompt, and its label as the completion."""
    labeller = Labeller(matrix)
    for mix in mixes:
        label = labeller.label(mix.weights)
        yield Pair(
            prompt=codec.prompt(profile.mix(mix.weights)),
            completion=codec.completion(space.from_default(label.changes)),
            metadata=_metadata(matrix, mix, label),
        )


def _metadata(matrix: Matrix, mix: Mix, label: Label) -> dict[str, Any]:
    header = matrix.header
    return {
        "split": mix.side,
        "workload": mix.workload.name,
        "weights": mix.weights,
        "templates": sorted({query.template for query in mix.workload.queries}),
        "schema": mix.workload.data_set.schema,
        "data_set": header.data_set,
        "server_version": header.server_version,
        "cores": header.cores,
        "memory": header.memory,
        "seed": header.seed,
        "catalogue_hash": header.catalogue_hash,
        "changes": dict(label.changes),
        "seconds": label.seconds,
        "default_seconds": label.default_seconds,
        "ratio": label.ratio,
        "repeats": label.repeats,
    }
