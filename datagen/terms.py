"""On what terms a matrix is measured: a folder goes on only on those that it was begun on."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from datagen.matrix import Matrix, MatrixHeader, Run
from llmtune.errors import DatasetError
from llmtune.trial import TrialStatus
from workloads.workload import Workload

FACTS = ("data_set", "database", "server_version", "cores", "memory", "seed", "catalogue_hash")
"""Of a header: what is the same in all runs of a folder, as far as both sides say it."""

TOLD = {True: "at one pace of the machine", False: "as measured"}
"""How times are told, by whether they are steady."""


def check_terms(
    folder: Path, found: Matrix, wanted: MatrixHeader, workload: Workload, *, steady: bool
) -> None:
    """Refuse to measure on, in a matrix that was measured on something else or otherwise.

    Args:
        found: the matrix in `folder`.
        wanted, workload, steady: what would be measured now, and whether the machine's pace
            would be taken out of its times.

    Raises:
        DatasetError: the terms differ; the message says in what, and what to do.
    """
    _check_facts(folder, found.header, wanted)
    _check_queries(folder, found, wanted, workload)
    _check_times(folder, found.runs, steady=steady)
    if found.header.feature_names != wanted.feature_names:
        raise DatasetError(
            f"{folder} holds a matrix with other features, written by LLMTune "
            f"{found.header.code_version}; name another output folder"
        )


def _check_facts(folder: Path, found: MatrixHeader, wanted: MatrixHeader) -> None:
    for name in FACTS:
        held, now = getattr(found, name), getattr(wanted, name)
        if _differ(held, now):
            raise DatasetError(
                f"{folder} holds a matrix of {name} {held!r}, not {now!r}; "
                "name another output folder"
            )


def _check_queries(folder: Path, found: Matrix, wanted: MatrixHeader, workload: Workload) -> None:
    if found.query_ids != tuple(query.id for query in workload.queries):
        raise DatasetError(f"{folder} holds a matrix of other queries; name another output folder")
    if _differ(found.header.queries, wanted.queries):
        raise DatasetError(
            f"{folder} holds a matrix of queries with these names and other SQL, as after a file "
            "was changed or queries were made anew; name another output folder"
        )


def _check_times(folder: Path, runs: Sequence[Run], *, steady: bool) -> None:
    """A raw time beside one at the machine's pace would be told apart by nothing but luck."""
    told = {run.number: _steady(run) for run in runs}
    other = next((number for number, one in told.items() if one is (not steady)), None)
    if other is None:
        return
    if steady in told.values():
        raise DatasetError(
            f"{folder} holds times of two kinds: run {other} has them {TOLD[not steady]}, others "
            f"{TOLD[steady]}. Move the files of one kind away, or name another output folder"
        )
    as_then = "with" if steady else "without"
    raise DatasetError(
        f"{folder} holds times {TOLD[not steady]}, and now they would be told {TOLD[steady]}: "
        f"call it {as_then} --raw-times, as then, or name another output folder"
    )


def _steady(run: Run) -> bool | None:
    """Whether its times are at one pace, as none was before LLMTune knew of it; None: no times."""
    if any(one.pace for one in run.outcomes):
        return True
    timed = any(one.status is TrialStatus.SUCCEEDED for one in run.outcomes)
    return False if timed else None


def _differ(held: object, now: object) -> bool:
    """Whether both are known, and are not the same."""
    return held != now and "" not in (held, now)
