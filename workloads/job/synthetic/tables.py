"""Every table's rows as CSV: the notable ones, then the ordinary ones block by block."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TypeAlias

from workloads.job.synthetic.cast_tables import cast_info_columns
from workloads.job.synthetic.columns import Column, csv_blocks, csv_rows
from workloads.job.synthetic.company_tables import company_name_columns, movie_companies_columns
from workloads.job.synthetic.dimensions import DIMENSIONS
from workloads.job.synthetic.info_tables import movie_info_columns
from workloads.job.synthetic.movie_tables import (
    complete_cast_columns,
    keyword_columns,
    movie_keyword_columns,
    movie_link_columns,
)
from workloads.job.synthetic.notable import notable_rows
from workloads.job.synthetic.opinion_tables import movie_info_idx_columns
from workloads.job.synthetic.person_tables import (
    aka_name_columns,
    char_name_columns,
    name_columns,
    person_info_columns,
)
from workloads.job.synthetic.title_tables import aka_title_columns, title_columns
from workloads.job.synthetic.world import World

ColumnSource: TypeAlias = Callable[[World], Iterator[list[Column]]]

ORDINARY: Mapping[str, ColumnSource] = {
    "aka_name": aka_name_columns,
    "aka_title": aka_title_columns,
    "cast_info": cast_info_columns,
    "char_name": char_name_columns,
    "company_name": company_name_columns,
    "complete_cast": complete_cast_columns,
    "keyword": keyword_columns,
    "movie_companies": movie_companies_columns,
    "movie_info": movie_info_columns,
    "movie_info_idx": movie_info_idx_columns,
    "movie_keyword": movie_keyword_columns,
    "movie_link": movie_link_columns,
    "name": name_columns,
    "person_info": person_info_columns,
    "title": title_columns,
}
"""The scaled tables' columns in the schema's order, a block of rows at a time."""


def table_rows(table: str, scale: float, seed: int) -> Iterator[bytes]:
    """One table's CSV rows in blocks of whole lines, the same bytes on every call."""
    if table in DIMENSIONS:
        yield csv_rows(list(enumerate(DIMENSIONS[table], start=1)))
        return
    notable = notable_rows().get(table, ())
    if notable:
        yield csv_rows(notable)
    for columns in ORDINARY[table](World(scale, seed)):
        yield from csv_blocks(columns)
