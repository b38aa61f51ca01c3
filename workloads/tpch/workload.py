"""TPC-H as a workload: 22 templates, filled with substitution parameters."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from importlib.resources import files

from llmtune.errors import UsageError
from workloads.tpch.data import tpch_data_set
from workloads.tpch.parameters import (
    NUMBERS,
    Parameters,
    drawn_parameters,
    validation_parameters,
)
from workloads.workload import Query, Workload


def tpch_workload(scale: float, seed: int | None = None, streams: int = 1) -> Workload:
    """The 22 queries at one scale factor.

    Args:
        scale: the scale factor; 1 is about 1 GB of raw data.
        seed: draws the substitution parameters; None takes the validation values.
        streams: how many parameter sets; with more than one, ids are `q1.1`, `q1.2` ...

    Raises:
        UsageError: `scale` or `streams` is not positive, or several streams have no seed.
    """
    _check_streams(seed, streams)
    data_set = tpch_data_set(scale)
    name = data_set.name if seed is None else f"{data_set.name}-seed{seed}"
    return Workload(
        name=name if streams == 1 else f"{name}-x{streams}",
        queries=tuple(_queries(scale, seed, streams)),
        data_set=data_set,
    )


def _check_streams(seed: int | None, streams: int) -> None:
    if streams < 1:
        raise UsageError(f"streams must be at least 1, not {streams}")
    if streams > 1 and seed is None:
        raise UsageError("several streams need a seed: validation values would only repeat")


def _queries(scale: float, seed: int | None, streams: int) -> Iterator[Query]:
    for stream in range(1, streams + 1):
        for number in NUMBERS:
            template = f"q{number}"
            yield Query(
                id=template if streams == 1 else f"{template}.{stream}",
                sql=fill(number, _parameters(number, scale, seed, stream)),
                template=f"tpch-{template}",
            )


def _parameters(number: int, scale: float, seed: int | None, stream: int) -> Parameters:
    if seed is None:
        return validation_parameters(number, scale)
    return drawn_parameters(number, scale, seed, stream)


def fill(number: int, parameters: Parameters) -> str:
    """The SQL of template `number` with its placeholders replaced."""
    return template_text(number).format_map(parameters)


@cache
def template_text(number: int) -> str:
    """The template as it stands in `sql/`, with placeholders such as `{date}`."""
    return (files("workloads.tpch") / "sql" / f"q{number}.sql").read_text("utf-8").strip()
