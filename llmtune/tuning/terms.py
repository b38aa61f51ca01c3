"""On what terms a session measures, and in which of them two sessions differ."""

from __future__ import annotations

from collections.abc import Mapping

from llmtune.tuning.origin import STARTS
from llmtune.tuning.record import SessionRecord

_TIMES: Mapping[object, str] = {True: "raw", False: "at one pace"}


def terms(record: SessionRecord) -> dict[str, object]:
    """What must be the same for values to be held against each other, by its name for people.

    None: the record does not tell, as it was made before that was kept.
    """
    return {
        "target": record.target,
        "workload": record.workload,
        "queries": record.origin.queries,
        "times": _TIMES.get(record.origin.raw_times),
        "seconds of a run": record.origin.timed_run_s,
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
    starts = record.origin.starts
    return {what: starts[name] for name, what in STARTS.items() if name in starts}


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
    ground = record.origin.ground
    return {
        "baseline": None if ground is None else ground.baseline,
        "bounds": None if ground is None else ground.bounds,
    }


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
