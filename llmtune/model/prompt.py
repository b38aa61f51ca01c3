"""The prompt codec: profile to prompt, configuration to completion.

One function writes the prompt for training and for use. It names no table,
column or query, so that what was learnt on one schema can be said of another:
data sizes are shares of the server's memory in powers of two, memory demands
are the work_mem levels that meet them, and what a query does stands beside its
share of the workload's cost.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from math import floor, log2, log10

from llmtune.knobs.configuration import Configuration
from llmtune.knobs.levels import LevelCodec
from llmtune.knobs.space import KnobSpace
from llmtune.model.demand import MET, OVER, DemandWords, demand_words
from llmtune.postgres.profile import PlanSummary, Profile, QueryProfile
from llmtune.postgres.statistics import TableStatistics

Word = Callable[[PlanSummary], str]
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


def _server(profile: Profile) -> Iterator[str]:
    cores, memory = profile.hardware.cores, profile.hardware.memory / 2**30
    size = f"{memory:.2g}" if memory < 100 else f"{memory:.0f}"
    yield f"PostgreSQL {profile.version}, {cores} cores, {size} GiB memory"


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
    queries, words = profile.queries, demand_words(profile.version, profile.hardware)
    clients = f"{profile.clients} client{'s' if profile.clients > 1 else ''}"
    yield f"workload: {profile.kind}, {len(queries)} queries, {clients}"
    cost = sum(query.cost for query in queries)
    yield f"cost: 2^{_power(cost)}, parallel {_percent(_parallel(queries), cost)}"
    yield f"scans: {_counts(queries, _SCANS)}"
    yield f"joins: {_counts(queries, _JOINS)}"
    yield "demands: work_mem level, share of cost"
    yield f"sort: {_shares(queries, cost, lambda f: words.sort(max(f.sorts, default=0)))}"
    yield f"hash: {_shares(queries, cost, lambda f: words.hash(_hashed(f)))}"
    yield "costliest:"
    costliest = sorted(queries, key=lambda q: (-q.cost, q.query_id))[:_LISTED_QUERIES]
    sizes = {table.name: _share(table.heap_bytes, words.memory) for table in profile.tables}
    for query in costliest:
        yield f"{_percent(query.cost, cost)} {_query(query.features, words, sizes)}"


def _shares(queries: Iterable[QueryProfile], cost: float, word: Word) -> str:
    """Which share of the cost is that of queries with each demand, most demanding first."""
    shares: dict[str, float] = {}
    for query in queries:
        name = word(query.features)
        shares[name] = shares.get(name, 0.0) + query.cost
    order = sorted(shares, key=lambda name: (name == OVER, name != MET, name), reverse=True)
    return " ".join(f"{name} {_percent(shares[name], cost)}" for name in order)


def _hashed(features: PlanSummary) -> float:
    """The largest hash table, of a join or an aggregate."""
    return max((*features.hashes, *features.aggregates), default=0.0)


def _query(features: PlanSummary, words: DemandWords, tables: Mapping[str, str]) -> str:
    """One short line: joins, workers, demands that the default leaves open, scans, probes."""
    joins = sum(features.operators.get(name, 0) for name in _JOINS)
    line = [f"joins {joins}"]
    line += [f"par {features.workers}"] if features.workers else []
    demands = (
        ("sort", words.sort(max(features.sorts, default=0))),
        ("hash", words.hash(max(features.hashes, default=0))),
        ("agg", words.hash(max(features.aggregates, default=0))),
    )
    line += [f"{name} {word}" for name, word in demands if word != MET]
    full = [tables[s.table] for s in features.scans if s.kind == "seq_scan" and s.table in tables]
    line += [f"seq {max(full, key=int)}"] if full else []
    probes = max((scan.loops for scan in features.scans), default=1.0)
    line += [f"probes 10^{floor(log10(probes))}"] if probes >= 10 else []
    return " ".join(line)


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
