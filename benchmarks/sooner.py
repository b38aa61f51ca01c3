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
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from llmtune.tuning.record import JournalEntry, Phase
from llmtune.tuning.store import SessionStore


@dataclass(frozen=True, slots=True)
class Searched:
    """One session: the values of its trials, None without one, and when each had ended."""

    optimizer: str
    seed: int
    values: tuple[float | None, ...]
    ended: tuple[float, ...]
    capped: int
    asks: float

    @property
    def best(self) -> float:
        return min(value for value in self.values if value is not None)

    def as_good_as(self, value: float) -> tuple[int, float] | None:
        """Trials and seconds until a trial was at least as good; None if none was."""
        for number, (one, end) in enumerate(zip(self.values, self.ended, strict=True), start=1):
            if one is not None and one <= value:
                return number, end
        return None


def searched(optimizer: str, seed: int, journal: Iterable[JournalEntry]) -> Searched:
    entries = [entry for entry in journal if entry.phase is Phase.SEARCH]
    clock, ended = 0.0, []
    for entry in entries:
        clock += entry.trial.wall_s + entry.ask_s
        ended.append(clock)
    trials = [entry.trial for entry in entries]
    return Searched(
        optimizer,
        seed,
        tuple(trial.value if trial.succeeded else None for trial in trials),
        tuple(ended),
        sum(trial.status == "capped" for trial in trials),
        sum(entry.ask_s for entry in entries),
    )


def stored(folder: Path) -> list[Searched]:
    store = SessionStore(f"sqlite:///{folder / 'sessions.db'}")
    records = [summary.record for summary in store.sessions()]
    sessions = [searched(one.optimizer, one.seed, store.journal(one.id)) for one in records]
    store.close()
    return sorted(sessions, key=lambda one: (one.seed, one.best))


def rows(sessions: list[Searched], name: str, seeds: set[int]) -> Iterator[str]:
    yield (
        "| seed | optimizer | best | first reached after | the whole session | asks | capped "
        f"| `{name}` as good after | of the session |"
    )
    yield "|---|---|---|---|---|---|---|---|---|"
    own = {one.seed: one for one in sessions if one.optimizer == name}
    for one in sessions:
        if one.seed not in seeds:
            continue
        first, whole = one.as_good_as(one.best), one.ended[-1]
        assert first is not None
        facts = (
            f"| {one.seed} | {one.optimizer} | {one.best:.2f} s "
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


def summary(sessions: list[Searched], name: str, seeds: set[int]) -> Iterator[str]:
    """Over the seeds: the median share of the others' median session; `inf` is never."""
    own = {one.seed: one for one in sessions if one.optimizer == name}
    shares: dict[str, list[float]] = {}
    for seed in sorted(seeds):
        others = [one for one in sessions if one.seed == seed and one.optimizer != name]
        whole = median(one.ended[-1] for one in others)
        for one in others:
            reached = own[seed].as_good_as(one.best)
            shares.setdefault(one.optimizer, []).append(
                reached[1] / whole if reached else float("inf")
            )
        best = own[seed].as_good_as(min(one.best for one in others))
        shares.setdefault("the best of them", []).append(best[1] / whole if best else float("inf"))
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
    print("\n".join([*rows(sessions, arguments.of, seeds), ""]))
    print("\n".join(summary(sessions, arguments.of, seeds)))


if __name__ == "__main__":
    main()
