"""The Join Order Benchmark as a workload."""

from __future__ import annotations

from random import Random

from llmtune.errors import UsageError
from workloads.job.catalogue import load_families
from workloads.job.data import imdb_data_set, synthetic_data_set
from workloads.job.graph import Family, Filter, Variant
from workloads.job.render import render
from workloads.job.variants import draw_variant
from workloads.options import WorkloadOptions
from workloads.workload import DataSet, ExistingDatabase, Query, Workload


def job_workload(options: WorkloadOptions) -> Workload:
    """The benchmark's queries, or new ones of its families, over real or synthetic data.

    Without a seed they are the 113 published queries. A seed draws as many new ones,
    for each family as many as it has published, so that the families keep their shares;
    ids such as `1.2` tell them from published ones such as `1b`. The data do not depend
    on the seed.

    The data are the real ones where `options.data` names a folder or archive with the
    CSV files, those of `options.database` where it is named, and else synthetic, at
    `options.scale`, where 1 means the real row counts.

    Raises:
        UsageError: options that exclude each other, or a scale that is not positive.
        LoadError: `options.data` is no folder or archive, or lacks files.
    """
    data_set = _data_set(options)
    seed = options.seed
    return Workload(
        name=f"job-{data_set.name}" if seed is None else f"job-{data_set.name}-seed{seed}",
        queries=job_queries() if seed is None else drawn_queries(seed),
        data_set=data_set,
    )


def job_queries() -> tuple[Query, ...]:
    """The 113 published queries, `1a` to `33c`; the template is the family."""
    return tuple(
        _query(family, variant) for family in load_families() for variant in family.variants
    )


def drawn_queries(seed: int) -> tuple[Query, ...]:
    """As many new queries of each family as it has published.

    Every (seed, family) has a generator of its own, so that a change to one family
    leaves all other draws as they are.
    """
    return tuple(
        _query(family, variant)
        for family in load_families()
        for variant in _drawn_variants(family, seed)
    )


def _drawn_variants(family: Family, seed: int) -> list[Variant]:
    rng = Random(f"job/{seed}/{family.number}")  # noqa: S311 - a workload, not a secret
    drawn: dict[frozenset[Filter], Variant] = {}
    while len(drawn) < len(family.variants):
        variant = draw_variant(family, rng, number=len(drawn) + 1)
        drawn.setdefault(frozenset(variant.filters), variant)
    return list(drawn.values())


def _query(family: Family, variant: Variant) -> Query:
    return Query(variant.id, render(family, variant), template=f"job-{family.number}")


def _data_set(options: WorkloadOptions) -> DataSet | ExistingDatabase:
    given = [options.data, options.database, options.scale]
    if sum(option is not None for option in given) > 1:
        raise UsageError(
            "choose one of a folder or archive with the data, a database that has them, "
            "and the scale of synthetic ones"
        )
    if options.data is not None:
        return imdb_data_set(options.data)
    if options.database is not None:
        return ExistingDatabase("imdb", options.database, "imdb")
    from workloads.job.synthetic import SYNTHETIC_SCALE

    return synthetic_data_set(SYNTHETIC_SCALE if options.scale is None else options.scale)
