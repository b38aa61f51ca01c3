"""`llmtune show` tells of trials what the report tells."""

from __future__ import annotations

from llmtune.benchmark.synthetic import SyntheticEvaluator
from llmtune.knobs.catalogue import load_catalogue
from llmtune.knobs.hardware import Hardware
from llmtune.knobs.space import resolve_space
from llmtune.trial import Trial, TrialStatus
from llmtune.tuning.new_record import new_record
from llmtune.tuning.plan import Plan
from llmtune.tuning.record import JournalEntry, Phase, Request
from llmtune.tuning.store import SessionStore

SPACE = resolve_space(load_catalogue(), 18, Hardware(2, 1 << 30), ["work_mem"])


def test_a_bound_is_not_shown_as_a_value(run, tmp_path) -> None:
    url = f"sqlite:///{tmp_path}/sessions.db"
    store = SessionStore(url)
    request = Request("embedded", "tpch", "random", "none", 0, Plan())
    record = new_record(SyntheticEvaluator(SPACE, 1), request)
    store.create(record)
    default = SPACE.baseline()
    for number, status in enumerate((TrialStatus.SUCCEEDED, TrialStatus.CAPPED)):
        trial = Trial(number, "random", default, status, 18.6)
        store.append(record.id, JournalEntry(Phase.SEARCH, trial))
    rows = [line for line in run("show", record.id, "--store", url).stdout.splitlines() if line]
    assert ["stopped at 18.6 s" in row for row in rows if "18.6 s" in row] == [False, True]
