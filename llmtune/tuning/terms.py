"""On what terms a session measures, and in which of them two sessions differ."""

from __future__ import annotations

from collections.abc import Mapping

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


def difference(one: SessionRecord, two: SessionRecord) -> str | None:
    """The first term in which they differ, with both values; None: in none that both tell."""
    others = terms(two)
    for name, left in terms(one).items():
        right = others[name]
        if left != right and left is not None and right is not None:
            return f"{name}: {_both(left, right)}"
    return None


def _both(one: object, two: object) -> str:
    """Of two sets only what one of them has alone."""
    if isinstance(one, frozenset) and isinstance(two, frozenset):
        return f"only one of them has {', '.join(sorted(one ^ two))}"
    return f"{one} and {two}"
