"""Final runs of a comparison: what each search found best, measured again and in turns.

The best of many single measurements is also the luckiest of them; how good a configuration
is, only further runs can say.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from llmtune.benchmark.evaluator import Evaluator
from llmtune.trial import Trial, TrialStatus
from llmtune.tuning.circumstances import ALONE, Circumstances
from llmtune.tuning.guards import ServerFacts, rejected
from llmtune.tuning.interrupt import sigterm_interrupts
from llmtune.tuning.record import JournalEntry, Phase, SessionRecord
from llmtune.tuning.search import best_of
from llmtune.tuning.store import SessionStore
from workloads.objective import Objective

OnFinal = Callable[[SessionRecord, Trial], None]


def best_trial(journal: Iterable[JournalEntry], objective: Objective) -> Trial | None:
    """The search's best; None when no trial of it succeeded."""
    searched = (entry.trial for entry in journal if entry.phase is Phase.SEARCH)
    return best_of(searched, objective)


def final_trials(journal: Sequence[JournalEntry], objective: Objective) -> tuple[Trial, ...]:
    """The final runs of the search's best configuration, in order."""
    best = best_trial(journal, objective)
    return tuple(
        entry.trial
        for entry in journal
        if entry.phase is Phase.CONFIRM and best and entry.trial.configuration == best.configuration
    )


def measure_finals(
    evaluator: Evaluator,
    store: SessionStore,
    sessions: Sequence[SessionRecord],
    runs: int,
    done: OnFinal,
    circumstances: Circumstances = ALONE,
) -> None:
    """Measure each session's best configuration in full until it has `runs` final runs.

    The sessions take turns, every other round backwards, so that a drift of the machine hits
    all alike. Each run is journalled at once; called again, what was run is not repeated. A best
    that a guard refuses by now, as more sessions are open, is not applied and not journalled:
    called again in a quieter hour, it is run.

    Args:
        done: called with each run.

    Raises:
        KeyboardInterrupt: on Ctrl-C or SIGTERM.
        TargetError: the target's server was lost.
    """
    with sigterm_interrupts():
        for turn in range(runs):
            for record in sessions if turn % 2 == 0 else reversed(sessions):
                journal = store.journal(record.id)
                best = best_trial(journal, record.objective)
                if best is None or len(final_trials(journal, record.objective)) > turn:
                    continue
                number = journal[-1].trial.number + 1
                entry = _final(evaluator, best, number, circumstances, record.plan.clients)
                if entry.trial.status is not TrialStatus.REJECTED:
                    store.append(record.id, entry)
                done(record, entry.trial)


def _final(
    evaluator: Evaluator, best: Trial, number: int, circumstances: Circumstances, clients: int
) -> JournalEntry:
    """One more run of a best configuration."""
    facts, begin = circumstances.facts or ServerFacts(clients), circumstances.restart_clock()
    tried, source = best.configuration, best.source
    trial = rejected(tried, evaluator.space, facts, number=number, source=source)
    trial = trial or evaluator.measure(tried, number=number, source=source)
    return JournalEntry(Phase.CONFIRM, trial, restart_s=circumstances.restart_clock() - begin)
