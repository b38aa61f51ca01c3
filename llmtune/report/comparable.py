"""Which stored sessions may stand in one comparison, and the arms that they make."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import combinations, compress

from llmtune.benchmark.cheap import savings_text
from llmtune.errors import UsageError
from llmtune.report.arms import Arm, Run
from llmtune.report.curve import final_values, journal_curve
from llmtune.report.wording import span_text
from llmtune.tuning.plan import Plan
from llmtune.tuning.record import PRIOR, JournalEntry, Phase, SessionRecord, SessionStatus
from llmtune.tuning.store import SessionSummary
from llmtune.tuning.terms import search_difference, started_from
from optimizers.narrowed import Narrowing

COLD = ("none", "default")
"""Warm starts that propose nothing."""

DIGITS = 8
"""Of a digest: enough to tell a few files apart."""

Stored = tuple[SessionRecord, Sequence[JournalEntry]]


def arms_from(sessions: Sequence[Stored]) -> tuple[Arm, ...]:
    """One arm for each optimizer with each warm start, the cold ones first.

    Where the sessions' plans differ, each way to search is an arm of its own, and so is each
    adapter or file that warm starts of one name came from.

    Raises:
        UsageError: the sessions do not belong together, with the difference named; a seed
            is there twice in one arm; or a session has no search trial.
    """
    check_comparable([record for record, _ in sessions])
    sessions = at_one_pace(sessions)
    ways = _ways([record for record, _ in sessions])
    starts = _starts([record for record, _ in sessions])
    alone = _left_alone([record for record, _ in sessions])
    runs: dict[tuple[bool, str, str, str], list[Run]] = defaultdict(list)
    for (record, journal), way, start, cold in zip(sessions, ways, starts, alone, strict=True):
        if not any(entry.phase is Phase.SEARCH for entry in journal):
            raise UsageError(f"session {record.id} has no search trial; leave it out")
        label = ", ".join(filter(None, (_name(record), start, way)))
        curve, again = journal_curve(record, journal), final_values(record, journal)
        runs[not cold, label, record.optimizer, way].append(Run(record.seed, curve, again))
    return tuple(
        Arm(label, tuple(runs[warm, label, optimizer, way]), optimizer, not warm, way)
        for warm, label, optimizer, way in sorted(runs, key=lambda key: key[0])
    )


def at_one_pace(sessions: Sequence[Stored]) -> Sequence[Stored]:
    """The same sessions, held against the pace of the first that knows one."""
    paces = (entry.trial.pace for _, journal in sessions for entry in journal)
    pace = next(filter(None, paces), None)
    if pace is None:
        return sessions
    return [
        (
            record,
            [replace(one, trial=one.trial.held_against(pace.reference_s)) for one in journal],
        )
        for record, journal in sessions
    ]


def arm_label(optimizer: str, source: str) -> str:
    """For charts and tables."""
    return f"{optimizer}, warm start {source}"


def narrowing_text(narrowing: Narrowing | None) -> str:
    """For charts and tables; empty where a search goes on with all knobs."""
    return "" if narrowing is None else f"{narrowing.keep} knobs after {narrowing.after} trials"


def check_comparable(records: Sequence[SessionRecord]) -> None:
    """Make sure that the sessions tuned the same thing on the same ground.

    Raises:
        UsageError: they did not; the message names two sessions and their difference.
    """
    if not records:
        raise UsageError("there is no session to compare")
    for one, other in combinations(records, 2):
        differs = search_difference(one, other)
        if differs is not None:
            raise UsageError(
                f"sessions {one.id} and {other.id} cannot be compared, for they differ in {differs}"
            )


def _left_alone(records: Sequence[SessionRecord]) -> list[bool]:
    """Of each session whether nothing was done for its optimizer.

    Keeping few knobs is something where other sessions of the same optimizer keep all: these
    are what it is held against.
    """
    cold = [one for one in records if one.warm_start in COLD and not one.prior]
    whole = {one.optimizer for one in cold if one.plan.keep_knobs is None}
    return [
        one in cold and (one.plan.keep_knobs is None or one.optimizer not in whole)
        for one in records
    ]


def _name(record: SessionRecord) -> str:
    """Optimizer, and what it started from; `tune --prior` keeps its warm start beside that."""
    told = bool(record.prior) and record.warm_start != PRIOR
    source = f"{record.warm_start} with prior" if told else record.warm_start
    return arm_label(record.optimizer, source)


def _ways(records: Sequence[SessionRecord]) -> list[str]:
    """Of each session what its plan says otherwise than others', in the words of the options."""
    plans = [_words(record.plan) for record in records]
    differ = [len(set(column)) > 1 for column in zip(*plans, strict=True)]
    return [", ".join(filter(None, compress(words, differ))) for words in plans]


def _words(plan: Plan) -> tuple[str, ...]:
    return (
        f"spare {savings_text(plan.cheap)}",
        narrowing_text(plan.narrowing),
        "" if plan.trials is None else f"{plan.trials} trials",
        "" if plan.seconds is None else f"within {span_text(plan.seconds)}",
    )


def _starts(records: Sequence[SessionRecord]) -> list[str]:
    """Of each session what its warm start came from, where others of its name came from others.

    A session that does not tell it, as it was made before that was kept, has none.
    """
    known: dict[tuple[str, str], set[str]] = defaultdict(set)
    for record in records:
        for what, digest in started_from(record).items():
            known[_name(record), what].add(digest)
    return [
        ", ".join(
            f"{what} {'+'.join(one[:DIGITS] for one in digest.split('+'))}"
            for what, digest in started_from(record).items()
            if len(known[_name(record), what]) > 1
        )
        for record in records
    ]


def interrupted(sessions: Iterable[SessionSummary]) -> tuple[str, ...]:
    """A note for each session that has not made all of its trials."""
    return tuple(
        f"session {one.record.id} ({one.record.optimizer}, seed {one.record.seed}) is "
        f"{one.status}: its curve stops early"
        for one in sessions
        if one.status is not SessionStatus.FINISHED
    )


def other_versions(records: Iterable[SessionRecord]) -> tuple[str, ...]:
    """A note where sessions were made by different versions of LLMTune."""
    found = sorted({record.code_version for record in records})
    if len(found) < 2:
        return ()
    return (
        f"the sessions were made by different versions of LLMTune ({', '.join(found)}), whose "
        "optimizers and measurements may differ",
    )
