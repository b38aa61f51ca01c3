"""On what terms a session measures, and in which of them two sessions differ."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from llmtune.knobs.resolved import ResolvedKnob
from llmtune.knobs.space import KnobSpace
from llmtune.tuning.record import SessionRecord

QUERIES = "query_digest"
"""Under which a record's origin keeps which queries its session measures."""
OBSERVED = "observe"
"""Under which it keeps how its session watches a server's traffic, if it does."""

STARTS: Mapping[str, str] = {
    "adapter": "adapter",
    "training_set.parquet": "training set",
    "measurements.parquet": "measurements",
    "warm_start_file": "file",
}
"""Under which a record's origin keeps digests of what its warm start came from, and what each
is for people."""

RUN_SECONDS = "run_s"
"""Under which a record's origin keeps how long one timed run of a transaction mix lasts."""

BASELINE = "baseline"
"""Under which it keeps the settings that a search of a running server sets out from."""
BOUNDS = "bounds"
"""Under which it keeps the bounds that such a search keeps to."""
NOTES = "notes"
"""Under which it keeps what people must know to read its values."""

_TIMES: Mapping[object, str] = {True: "raw", False: "at one pace"}


def terms(record: SessionRecord) -> dict[str, object]:
    """What must be the same for values to be held against each other, by its name for people.

    None: the record does not tell, as it was made before that was kept.
    """
    return {
        "target": record.target,
        "workload": record.workload,
        "queries": record.origin.get(QUERIES),
        "times": _TIMES.get(record.origin.get("raw_times")),
        "seconds of a run": record.origin.get(RUN_SECONDS, record.origin.get("duration_s")),
        "hardware": record.hardware,
        "server version": record.server_version,
        "knob catalogue": record.catalogue_hash,
        "set of knobs": frozenset(record.knobs),
        "objective": record.objective,
    }


def started_from(record: SessionRecord) -> dict[str, str]:
    """The digest of each thing that the session's warm start came from, by its name for people.

    Empty where there is none, and for sessions of before it was kept.
    """
    return {what: record.origin[key] for key, what in STARTS.items() if key in record.origin}


def ground(space: KnobSpace) -> dict[str, Any]:
    """What a record's origin keeps of the knobs of a server that runs already, as people write it.

    Nothing of one that is there to be measured: its version and hardware tell where it begins.
    """
    if space.present is None:
        return {}
    scales = [knob for knob in space.knobs if not knob.knob.choices]
    return {
        BASELINE: {knob.name: knob.format(knob.baseline) for knob in space.knobs},
        BOUNDS: {knob.name: _bounds(knob) for knob in scales},
    }


def difference(one: SessionRecord, two: SessionRecord) -> str | None:
    """The first term in which they differ, with both values; None: in none that both tell."""
    return _first(terms(one), terms(two))


def search_difference(one: SessionRecord, two: SessionRecord) -> str | None:
    """As `difference`, for whole searches to be held against each other.

    A value is one of its configuration, wherever the search set out from; what a search
    finds, and how soon, is not.
    """
    return _first({**terms(one), **_grounds(one)}, {**terms(two), **_grounds(two)})


def _grounds(record: SessionRecord) -> dict[str, object]:
    return {name: record.origin.get(name) for name in (BASELINE, BOUNDS)}


def _bounds(knob: ResolvedKnob) -> str:
    return " to ".join(knob.format(knob.rounded(end)) for end in (knob.low, knob.high))


def _first(ones: Mapping[str, object], others: Mapping[str, object]) -> str | None:
    for name, left in ones.items():
        right = others[name]
        if left != right and left is not None and right is not None:
            return f"{name}: {_both(left, right)}"
    return None


def _both(one: object, two: object) -> str:
    """Of two sets only what one of them has alone, of two mappings only what is not the same."""
    if isinstance(one, frozenset) and isinstance(two, frozenset):
        return f"only one of them has {', '.join(sorted(one ^ two))}"
    if isinstance(one, Mapping) and isinstance(two, Mapping):
        names = [name for name in one if one[name] != two.get(name)]
        return ", ".join(f"{name} {one[name]} and {two.get(name)}" for name in names)
    return f"{one} and {two}"
