"""The prompt codec: profile to prompt, configuration to completion and back.

One function writes the prompt for training and for use. It names no table,
column or query: sizes are shares of the server's memory in powers of two, and
what one query does is stated beside its share of the workload's cost, so that
what was learnt on one schema can be said of another.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from math import floor, log2, log10

from llmtune.errors import InvalidConfiguration
from llmtune.knobs.configuration import Configuration
from llmtune.knobs.levels import LevelCodec
from llmtune.knobs.space import KnobSpace
from llmtune.postgres.profile import PlanSummary, Profile, QueryProfile
from llmtune.postgres.statistics import TableStatistics

_LISTED_TABLES = 4
_LISTED_QUERIES = 8
_SCANS = {"seq_scan": "seq", "index_scan": "idx", "index_only_scan": "only", "bitmap_scan": "bmp"}
_JOINS = {"hash_join": "hash", "merge_join": "merge", "nested_loop": "loop"}


class PromptCodec:
    """Text for the model, for the knobs of one space. Pure and deterministic."""

    def __init__(self, space: KnobSpace) -> None:
        self.space = space
        self.levels = LevelCodec(space)

    def prompt(self, profile: Profile) -> str:
        """What the model sees: hardware, data, workload; ends with a line break."""
        return "\n".join((*_server(profile), *_data(profile), *_work(profile), "levels:\n"))

    def completion(self, configuration: Configuration) -> str:
        """One line `name: LABEL` for each knob, in catalogue order."""
        labels = self.levels.encode(configuration)
        return "".join(f"{name}: {labels[name]}\n" for name in self.space.names)

    def parse(self, text: str) -> Configuration:
        """Read a completion back; knobs without a line stand at their default.

        Raises:
            InvalidConfiguration: a line that is not a knob of the space with one
                of its labels.
        """
        labels = dict(self._parse_line(line) for line in text.splitlines() if line.strip())
        return self.levels.decode({**self._default_labels(), **labels})

    def _parse_line(self, line: str) -> tuple[str, str]:
        name, _, label = (part.strip() for part in line.partition(":"))
        if name not in self.space:
            raise InvalidConfiguration(f"completion line {line!r}: no knob {name!r}")
        if label not in self.levels.labels(name):
            legal = ", ".join(self.levels.labels(name))
            raise InvalidConfiguration(f"completion line {line!r}: the labels are {legal}")
        return name, label

    def _default_labels(self) -> dict[str, str]:
        return self.levels.encode(self.space.default())


def _server(profile: Profile) -> Iterator[str]:
    cores, memory = profile.hardware.cores, f"{profile.hardware.memory / 2**30:.2g}"
    yield f"PostgreSQL {profile.version}, {cores} cores, {memory} GiB memory"


def _data(profile: Profile) -> Iterator[str]:
    memory = profile.hardware.memory
    read = _tables_read(profile)
    heap = sum(table.heap_bytes for table in profile.tables)
    index = sum(table.index_bytes for table in profile.tables)
    used = sum(table.heap_bytes for table in read)
    yield "sizes: log2 of bytes over memory"
    yield (
        f"data: {len(profile.tables)} tables, heap {_share(heap, memory)}, "
        f"index {_share(index, memory)}, read {_share(used, memory)}, "
        f"{_fit(used + sum(t.index_bytes for t in read), memory)}"
    )
    largest = read[:_LISTED_TABLES]
    yield f"largest: {' '.join(_share(t.heap_bytes, memory) for t in largest) or 'none'}"


def _work(profile: Profile) -> Iterator[str]:
    memory, queries = profile.hardware.memory, profile.queries
    clients = f"{profile.clients} client{'s' if profile.clients > 1 else ''}"
    yield f"workload: {profile.kind}, {len(queries)} queries, {clients}"
    cost = sum(query.cost for query in queries)
    yield f"cost: 2^{_power(cost)}, parallel {_percent(_parallel(queries), cost)}"
    yield f"scans: {_counts(queries, _SCANS)}"
    yield f"joins: {_counts(queries, _JOINS)}"
    for name, sizes in _demands(queries):
        yield f"{name}: {' '.join(_share(size, memory) for size in sizes[:6]) or 'none'}"
    yield "costliest:"
    costliest = sorted(queries, key=lambda q: (-q.cost, q.query_id))[:_LISTED_QUERIES]
    sizes = {table.name: table.heap_bytes for table in profile.tables}
    for query in costliest:
        yield f"{_percent(query.cost, cost)} {_query(query.features, memory, sizes)}"


def _demands(queries: Iterable[QueryProfile]) -> Iterator[tuple[str, list[float]]]:
    def largest(sizes: Callable[[PlanSummary], tuple[float, ...]]) -> list[float]:
        return sorted((s for q in queries for s in sizes(q.features)), reverse=True)

    yield "sorts", largest(lambda features: features.sorts)
    yield "hashes", largest(lambda features: features.hashes)
    yield "aggregates", largest(lambda features: features.aggregates)


def _query(features: PlanSummary, memory: int, tables: Mapping[str, int]) -> str:
    """One short line: joins, workers, the largest demands, probes and full scan."""
    joins = sum(features.operators.get(name, 0) for name in _JOINS)
    words = [f"joins {joins}"]
    words += [f"par {features.workers}"] if features.workers else []
    demands = (("sort", features.sorts), ("hash", features.hashes), ("agg", features.aggregates))
    words += [f"{name} {_share(sizes[0], memory)}" for name, sizes in demands if sizes]
    full = [tables.get(s.table, 0) for s in features.scans if s.kind == "seq_scan"]
    words += [f"seq {_share(max(full), memory)}"] if full else []
    probes = max((scan.loops for scan in features.scans), default=1.0)
    words += [f"probes 10^{floor(log10(probes))}"] if probes >= 10 else []
    return " ".join(words)


def _tables_read(profile: Profile) -> list[TableStatistics]:
    names = {scan.table for query in profile.queries for scan in query.features.scans}
    return [table for table in profile.tables if table.name in names]


def _counts(queries: Iterable[QueryProfile], names: Mapping[str, str]) -> str:
    counts = {
        short: sum(query.features.operators.get(name, 0) for query in queries)
        for name, short in names.items()
    }
    return " ".join(f"{short} {count}" for short, count in counts.items() if count) or "none"


def _parallel(queries: Iterable[QueryProfile]) -> float:
    return sum(query.cost for query in queries if query.features.workers)


def _power(value: float) -> int:
    return round(log2(value)) if value >= 1 else 0


def _share(size: float, memory: int) -> str:
    """The size's share of memory as a rounded power of two; what is tiny is `-20`."""
    return str(max(-20, round(log2(size / memory)))) if size > 0 else "-20"


def _percent(part: float, whole: float) -> str:
    return f"{round(100 * part / whole) if whole > 0 else 0}%"


def _fit(size: int, memory: int) -> str:
    """Whether what is read stays cached, in the three ways that matter."""
    if size < memory / 4:
        return "fits easily"
    return "just fits" if size < memory * 0.8 else "does not fit"
