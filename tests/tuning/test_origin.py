"""A session's origin is stored as it always was, and read as far as a session tells it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from llmtune.benchmark.observe_window import WindowOptions
from llmtune.errors import SessionError
from llmtune.tuning.origin import STARTS, Origin, origin_of
from llmtune.tuning.reopen import requests_of
from llmtune.tuning.requests import RestartRequest, TargetRequest, WorkloadRequest
from llmtune.tuning.server_facts import Risks
from workloads.options import WorkloadOptions

TARGET = {
    "target": "host=db user=me",
    "cores": 2,
    "memory": "4GB",
    "bindir": None,
    "image": None,
    "restart": {
        "allow": True,
        "command": None,
        "container": None,
        "unit": None,
        "pgdata": "/srv/pg",
    },
}
OPTIONS = {
    "scale": 0.1,
    "seed": 3,
    "clients": None,
    "duration_s": None,
    "objective": None,
    "data": "/home/me/log.csv",
    "database": "shop",
    "data_set": None,
    "writes": False,
    "leave_out": True,
    "query_timeout_s": 2.0,
    "queries": None,
    "raw_times": False,
}
ANSWER = {
    "out": "/home/me/out",
    "risks": {"durability": True, "standby": False, "peak_sessions": 70},
    "apply": True,
}
WINDOWS = {
    "window_s": 60.0,
    "settle_s": 10.0,
    "min_calls": 50,
    "rollback": 0.1,
    "baseline_every": 4,
}
WORK = {**TARGET, "workload": "captured", **OPTIONS}
STORED = {
    "tuned": {**WORK, "query_digest": "1f2e3d4c", **dict.fromkeys(STARTS, "1f" * 32), **ANSWER},
    "of a mix": {**WORK, "query_digest": None, "run_s": 15.0, **ANSWER},
    "watched": {**WORK, "observe": WINDOWS, **ANSWER},
    "compared": {**WORK, "query_digest": "1f2e3d4c", "adapter": "1f" * 32},
    "recorded": {"recorded": "tpch", "seconds_sha256": "1f" * 32},
    "nothing told": {},
}


@pytest.mark.parametrize("kind", STORED)
def test_what_is_stored_stays_as_it_is(kind) -> None:
    assert Origin.from_json(STORED[kind]).to_json() == STORED[kind]


def test_a_request_is_told_without_its_password_and_from_any_folder() -> None:
    restart = RestartRequest(allow=True, pgdata=Path("data"))
    target = TargetRequest("host=db user=me password=hunter2", 2, "4GB", Path("bin"), restart)
    options = WorkloadOptions(data_set="tpch", writes=True, data=Path("log.csv"))
    origin = origin_of(target, WorkloadRequest("mine/x.sql", options))
    assert origin.workload == str(Path("mine/x.sql").absolute())
    assert origin.target is not None
    assert sorted(origin.target.target.split()) == ["host=db", "user=me"], "the file has it"
    assert origin.target.bindir == Path("bin").absolute()
    assert origin.target.restart.pgdata == Path("data").absolute()
    assert origin.workload_options() == replace(options, data=Path("log.csv").absolute())
    assert Origin.from_json(origin.to_json()) == origin
    assert origin_of(target, WorkloadRequest("tpch", options)).workload == "tpch"


def test_a_session_is_opened_as_it_was_asked_for(make_record) -> None:
    record = replace(make_record(), origin=Origin.from_json(STORED["tuned"]))
    target, workload, out = requests_of(record)
    restart = RestartRequest(allow=True, pgdata=Path("/srv/pg"))
    assert target == TargetRequest("host=db user=me", 2, "4GB", None, restart)
    assert workload.options.data == Path("/home/me/log.csv")
    assert (workload.name, workload.options.scale, out) == ("captured", 0.1, Path("/home/me/out"))
    assert record.origin.risks == Risks(durability=True, peak_sessions=70)
    assert Origin.from_json(STORED["watched"]).windows == WindowOptions()


def test_a_session_of_before_parts_were_kept_is_opened_all_the_same(make_record) -> None:
    young = ("image", "restart", "raw_times", "risks", "apply", "query_digest", *STARTS)
    old = {name: one for name, one in STORED["tuned"].items() if name not in young}
    origin = Origin.from_json(old)
    assert (origin.raw_times, origin.queries, origin.risks) == (None, None, Risks())
    target, workload, _ = requests_of(replace(make_record(), origin=origin))
    assert (target.image, target.restart) == (None, RestartRequest())
    assert workload.options.raw_times, "as they all were then"


@pytest.mark.parametrize(
    ("lacking", "said"),
    [
        ("out", "not started by `llmtune tune`"),
        ("target", "does not say how to open its target again"),
        ("workload", "does not say how to open its target again"),
        ("scale", "'scale'"),
    ],
)
def test_what_a_session_cannot_be_opened_without_is_named(lacking, said, make_record) -> None:
    told = {name: one for name, one in STORED["tuned"].items() if name != lacking}
    with pytest.raises(SessionError, match=said):
        requests_of(replace(make_record(), origin=Origin.from_json(told)))
