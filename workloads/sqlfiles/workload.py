"""A workload from `.sql` files."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from llmtune.errors import UsageError
from llmtune.paths import is_folder
from workloads.digest import named
from workloads.effects import effect_of, parameters_in
from workloads.options import WorkloadOptions
from workloads.sqlfiles.directives import read_directives, read_weights
from workloads.sqlfiles.statements import Statement, parse_statements
from workloads.workload import DataSet, ExistingDatabase, Query, Workload


def is_sql_path(name: str) -> bool:
    """Whether a workload's name is a path: it ends in `.sql`, has a slash or is a folder."""
    return name.endswith(".sql") or "/" in name or is_folder(name)


def sqlfiles_workload(
    path: Path, options: WorkloadOptions, data_set: DataSet | None = None
) -> Workload:
    """The statements of a `.sql` file, or of all below a folder, as a workload.

    Ids are the files' names without their suffix, such as `q1` and `monthly/q1`; of
    several statements in a file `q1#1`, `q1#2` ...; or what a comment `-- name: x`
    says. A comment `-- weight: 3` and the entries of a `weights.toml` or
    `weights.json` beside the files give weights; the file counts more than the comment.
    Queries that differ in nothing but constants are of one template, or of that which a
    comment `-- template: x` names.

    Args:
        data_set: what the queries run over; None means the options' existing
            database, or the one that the target connects to.

    Raises:
        UsageError: no such file, nothing in it, or a statement that cannot be a
            query; file and line are named.
    """
    files = _files(path)
    root = path if path.is_dir() else path.parent
    queries = _unique(query for file in files for query in _queries(file, root, options))
    queries = _weighted(queries, read_weights(root), strict=path.is_dir())
    existing = ExistingDatabase(database=options.database)
    return Workload(named(path.resolve().stem, queries), queries, data_set or existing)


def sql_text(queries: Iterable[Query]) -> str:
    """The queries as a `.sql` file from which the same workload comes, but for its name."""
    # The semicolon has a line of its own: a comment may end the statement.
    return "\n".join(
        f"-- name: {query.id}\n-- weight: {query.weight!r}\n-- template: {query.template}\n"
        f"{query.sql}\n;\n"
        for query in queries
    )


def _files(path: Path) -> list[Path]:
    """The file itself, or those below the folder but the hidden, with q2 before q10."""
    try:
        if path.is_file():
            return [path]
        if not path.is_dir():
            raise UsageError(f"no workload {path}: there is no such file or folder")
        below = [file for file in path.rglob("*.sql") if file.is_file()]
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from error
    files = [file for file in below if not _hidden(file.relative_to(path))]
    if not files:
        raise UsageError(f"the folder {path} has no .sql file")
    return sorted(files, key=lambda file: _place(file.relative_to(path)))


def _hidden(path: Path) -> bool:
    return any(part.startswith(".") for part in path.parts)


def _place(path: Path) -> tuple[list[tuple[int, str]], str]:
    """By numbers first; q1 and q01 are told apart, for the folder has them in any order."""
    name = path.as_posix()
    parts = re.findall(r"\d+|\D+", name)
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in parts], name


def _text(file: Path) -> str:
    try:
        return file.read_text("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UsageError(f"{file} is not UTF-8: byte {error.start} is not; convert it") from error
    except OSError as error:
        raise UsageError(f"{file} cannot be read: {error.strerror}") from error


def _queries(file: Path, root: Path, options: WorkloadOptions) -> Iterator[Query]:
    statements = parse_statements(_text(file), str(file))
    if not statements:
        raise UsageError(f"{file} has no statement")
    stem = file.relative_to(root).with_suffix("").as_posix()
    for number, statement in enumerate(statements, start=1):
        name = stem if len(statements) == 1 else f"{stem}#{number}"
        yield _query(statement, name, file, options)


def _query(statement: Statement, name: str, file: Path, options: WorkloadOptions) -> Query:
    import pglast

    place = f"{file}:{statement.line}"
    directives = read_directives(statement.comments, str(file))
    return Query(
        id=directives.name or name,
        sql=statement.sql,
        template=directives.template or f"sql-{pglast.fingerprint(statement.sql)}",
        weight=directives.weight,
        writes=_writes(statement, place, options),
        place=place,
    )


def _writes(statement: Statement, place: str, options: WorkloadOptions) -> bool:
    """Whether it writes, once it is sure that it may be run."""
    effect = effect_of(statement.tree)
    if effect.refusal:
        raise UsageError(f"{place}: this cannot be measured: {effect.refusal}")
    if effect.writes and not options.writes:
        raise UsageError(
            f"{place}: this changes data; --allow-writes runs it, always in a transaction "
            "that is rolled back"
        )
    numbers = parameters_in(statement.tree)
    if numbers:
        raise UsageError(
            f"{place}: the parameter ${min(numbers)} has no value; write one, or take the "
            "statement with real values from a live database by --workload captured"
        )
    return effect.writes


def _unique(queries: Iterator[Query]) -> tuple[Query, ...]:
    places: dict[str, str] = {}
    kept = []
    for query in queries:
        if query.id in places:
            raise UsageError(
                f"{query.place}: the name {query.id} is that of {places[query.id]} too"
            )
        places[query.id] = query.place
        kept.append(query)
    return tuple(kept)


def _weighted(
    queries: tuple[Query, ...], weights: Mapping[str, float], *, strict: bool
) -> tuple[Query, ...]:
    """The queries with the weights; of one file alone the weights may name others' too."""
    unknown = sorted(weights.keys() - {query.id for query in queries})
    if unknown and strict:
        known = ", ".join(query.id for query in queries)
        raise UsageError(f"weights are given for {unknown[0]!r}, which is no query; known: {known}")
    return tuple(replace(q, weight=weights.get(q.id, q.weight)) for q in queries)
