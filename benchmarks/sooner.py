"""When one optimizer of a comparison was as good as the others ever were.

    llmtune compare --workload tpch --optimizer plan --optimizer tpe ... --out DIR
    python benchmarks/sooner.py DIR --of plan

For each other optimizer and seed: its best value, when it was first reached, and when the
one in question was as good. Seconds are wall time, asks and restarts included. The last
lines hold those seconds against the wall time of the others' whole sessions.
"""

from __future__ import annotations

import argparse
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from llmtune.report.comparable import check_comparable
from llmtune.report.curve import Axis, Curve, journal_curve
from llmtune.trial import TrialStatus
from llmtune.tuning.record import JournalEntry, Phase, SessionRecord
from llmtune.tuning.store import SessionStore


@dataclass(frozen=True, slots=True)
class Searched:
    """One session's search.

    Attributes:
        best: its best value.
        asks: seconds that its asks took.
    """

    optimizer: str
    seed: int
    curve: Curve
    best: float
    asks: float

    @property
    def seconds(self) -> float:
        """Of the whole session."""
        return self.curve.points[-1].seconds

    @property
    def capped(self) -> int:
        return sum(point.status is TrialStatus.CAPPED for point in self.curve.points)

    @property
    def rank(self) -> tuple[int, float]:
        """By seed, the best first."""
        return self.seed, self.curve.objective.ratio(self.best, 1.0)

    def as_good_as(self, value: float) -> tuple[int, float] | None:
        """Trials and seconds until a trial was at least as good; None if none was."""
        trials, seconds = (self.curve.reached(value, axis) for axis in Axis)
        return None if trials is None or seconds is None else (int(trials), seconds)


def searched(record: SessionRecord, journal: Sequence[JournalEntry]) -> Searched:
    curve = journal_curve(record, journal)
    if curve.final is None:
        raise SystemExit(f"session {record.id} has no trial that succeeded")
    asks = sum(entry.ask_s for entry in journal if entry.phase is Phase.SEARCH)
    return Searched(record.optimizer, record.seed, curve, curve.final, asks)


def stored(folder: Path) -> list[Searched]:
    store = SessionStore(f"sqlite:///{folder / 'sessions.db'}")
    records = [summary.record for summary in store.sessions()]
    check_comparable(records)
    sessions = [searched(one, store.journal(one.id)) for one in records]
    store.close()
    return sorted(sessions, key=lambda one: one.rank)


def check(sessions: Sequence[Searched], name: str, seeds: set[int]) -> None:
    """Make sure that each optimizer has one session a seed, and the one in question has it."""
    counts = Counter((one.optimizer, one.seed) for one in sessions)
    for (optimizer, seed), count in counts.items():
        if count > 1:
            raise SystemExit(
                f"there are {count} sessions of {optimizer} with seed {seed}; this is for a "
                "comparison of cold sessions of one kind"
            )
    for seed in sorted(seeds):
        if not counts[name, seed]:
            known = ", ".join(sorted({one.optimizer for one in sessions}))
            raise SystemExit(f"no session of {name!r} has seed {seed}; there are those of {known}")


def rows(sessions: Sequence[Searched], name: str, seeds: set[int]) -> Iterator[str]:
    yield (
        "| seed | optimizer | best | first reached after | the whole session | asks | capped "
        f"| `{name}` as good after | of the session |"
    )
    yield "|---|---|---|---|---|---|---|---|---|"
    own = {one.seed: one for one in sessions if one.optimizer == name}
    for one in sessions:
        if one.seed not in seeds:
            continue
        first, whole = one.as_good_as(one.best), one.seconds
        assert first is not None
        facts = (
            f"| {one.seed} | {one.optimizer} | {one.best:.2f} {one.curve.objective.unit} "
            f"| {first[0]} trials, {first[1]:.0f} s "
            f"| {whole:.0f} s | {one.asks:.0f} s | {one.capped} "
        )
        sooner = None if one.optimizer == name else own[one.seed].as_good_as(one.best)
        if one.optimizer == name:
            yield facts + "| | |"
        elif sooner is None:
            yield facts + "| never | |"
        else:
            yield facts + f"| {sooner[0]} trials, {sooner[1]:.0f} s | {sooner[1] / whole:.2f} |"


def summary(sessions: Sequence[Searched], name: str, seeds: set[int]) -> Iterator[str]:
    """Over the seeds: the median share of the others' median session; `inf` is never."""
    own = {one.seed: one for one in sessions if one.optimizer == name}
    shares: dict[str, list[float]] = {}
    for seed in sorted(seeds):
        others = [one for one in sessions if one.seed == seed and one.optimizer != name]
        whole = median(one.seconds for one in others)
        bests = {one.optimizer: one.best for one in others}
        for who, best in {**bests, "the best of them": others[0].best}.items():
            reached = own[seed].as_good_as(best)
            shares.setdefault(who, []).append(reached[1] / whole if reached else float("inf"))
    yield f"Seconds until `{name}` was as good, over the others' median session, by seed:"
    yield ""
    for who, found in shares.items():
        told = ", ".join(f"{share:.2f}" for share in found)
        yield f"- {who}: median {median(found):.2f} ({told})"


def main() -> None:
    parser = argparse.ArgumentParser(description=re.sub(r"(?s)\n\n.*", "", __doc__ or ""))
    parser.add_argument("folder", type=Path, help="of a comparison of cold sessions")
    parser.add_argument("--of", default="plan", metavar="OPTIMIZER")
    parser.add_argument("--seed", type=int, action="append", help="only these; default all")
    arguments = parser.parse_args()
    sessions = stored(arguments.folder)
    seeds = set(arguments.seed or (one.seed for one in sessions))
    check(sessions, arguments.of, seeds)
    print("\n".join([*rows(sessions, arguments.of, seeds), ""]))
    print("\n".join(summary(sessions, arguments.of, seeds)))


if __name__ == "__main__":
    main()
