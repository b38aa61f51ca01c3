"""The figures of a comparison: which arm is held against which, and what is said of it."""

import csv
import io
import json
from dataclasses import replace

import pytest

from llmtune.benchmark.cheap import ALL_SAVINGS
from llmtune.errors import UsageError
from llmtune.knobs.catalogue import load_catalogue
from llmtune.knobs.configuration import Configuration
from llmtune.knobs.hardware import Hardware
from llmtune.knobs.space import resolve_space
from llmtune.report.arms import Arm, Run
from llmtune.report.chart import arm_look, comparison_chart, svg_file
from llmtune.report.comparable import arms_from
from llmtune.report.comparison import band, reference
from llmtune.report.comparison_csv import figures_csv, points_csv
from llmtune.report.comparison_table import (
    comparison_facts,
    comparison_figures,
    comparison_table,
)
from llmtune.report.curve import Axis, Curve, Point
from llmtune.report.effort import area, effort
from llmtune.report.interactive import comparison_html
from llmtune.trial import Pace, Trial, TrialStatus
from llmtune.tuning.origin import Origin
from llmtune.tuning.plan import Plan
from llmtune.tuning.record import JournalEntry, Phase, Prior, SessionRecord
from optimizers.warm_start import Proposal
from workloads.objective import LATENCY, THROUGHPUT

SPACE = resolve_space(load_catalogue(), 18, Hardware(2, 4 << 30), names=["work_mem"])


def curve(*values: float | None, objective=LATENCY) -> Curve:
    """One trial every ten seconds, eight of them measured; the first is the default's."""
    points = [
        Point(
            at + 1,
            10.0 * (at + 1),
            "default" if at == 0 else "rules",
            TrialStatus.CRASHED if value is None else TrialStatus.SUCCEEDED,
            value,
            8.0,
        )
        for at, value in enumerate(values)
    ]
    return Curve(objective, tuple(points))


def arm(label: str, *curves: Curve, cold: bool = False) -> Arm:
    runs = tuple(Run(seed, one) for seed, one in enumerate(curves))
    return Arm(label, runs, label.split(maxsplit=1)[0], cold)


TPE, GP = arm("tpe none", curve(8, 6, 4), cold=True), arm("gp none", curve(8, 4, 3), cold=True)
WARM_TPE, WARM_GP = arm("tpe rules", curve(8, 4, 4)), arm("gp rules", curve(8, 9, 9))
ARMS = (TPE, GP, WARM_TPE, WARM_GP)


def test_a_warm_arm_is_held_against_its_own_optimizer() -> None:
    assert [reference(one, ARMS) for one in ARMS] == [None, TPE, TPE, GP]
    assert reference(WARM_GP, (WARM_TPE, WARM_GP)) is WARM_TPE


def test_a_warm_arm_is_held_against_one_that_searched_the_same_way() -> None:
    full, cheap, other = TPE, replace(TPE, label="tpe all", way="all"), replace(GP, way="all")
    warm = replace(WARM_TPE, way="all")
    arms = (full, cheap, other, warm, replace(WARM_GP, way="few"))
    assert [reference(one, arms) for one in arms] == [None, full, cheap, cheap, other]


def test_figures_say_how_soon_the_cold_best_was_reached() -> None:
    facts = comparison_facts(comparison_figures("tpch", ARMS))
    warm = facts["arms"][2]
    assert (warm["against"], warm["speed_up"]["trials"]["ratios"]) == ("tpe none", (1.5,))
    assert warm["speed_up"]["trials"]["targets"] == (4,)
    assert warm["speed_up"]["seconds"]["needed"] == (20.0,)
    assert facts["arms"][3]["speed_up"]["trials"]["needed"] == (None,)
    assert facts["basis"] == "measured"
    json.dumps(facts, allow_nan=False)


def test_the_area_is_the_mean_best_over_the_default() -> None:
    assert area(arm("a", curve(8, 4, 2)), 3).median == pytest.approx((1 + 0.5 + 0.25) / 3)
    assert area(arm("a", curve(8, None, 9)), 3).median == 1.0
    rates = arm("a", curve(2, 4, objective=THROUGHPUT))
    assert area(rates, 2).median == pytest.approx(0.75)
    assert area(arm("a", curve(None)), 1) is None


def test_effort_counts_failures_and_overhead() -> None:
    done = effort(arm("a", curve(8, None, 4), curve(8, 4, 4)))
    assert (done.trials, done.failed, done.capped) == (6, 1, 0)
    assert done.overhead == pytest.approx(0.2)


def test_an_arm_without_success_is_said_and_not_a_defect() -> None:
    failed = arm("tpe rules", curve(None, None, None))
    for arms in ((TPE, failed), (replace(failed, label="tpe none", cold=True), WARM_TPE)):
        figures = comparison_figures("tpch", arms)
        rows = comparison_table(figures).rows
        assert "no trial succeeded" in [row[2] for row in rows]
        assert any("no trial succeeded" in note for note in figures.notes)
        json.dumps(comparison_facts(figures), allow_nan=False)


def test_a_seed_without_success_takes_its_own_speed_up_alone() -> None:
    cold = arm("tpe none", curve(None), curve(8, 4), cold=True)
    common, alone = arm("tpe rules", curve(8, 4), curve(8, 4)), arm("tpe model", curve(8, 4))
    figures = comparison_figures("tpch", (cold, common, alone))
    assert [bool(one.speed_ups) for one in figures.arms] == [True, True, False]
    assert any(
        note.startswith("tpe model: no trial of tpe none succeeded with the seeds that both have")
        for note in figures.notes
    )


def test_what_was_not_measured_says_so_everywhere() -> None:
    figures = comparison_figures("tpch", ARMS, "recorded, not measured", ["a note"])
    assert "recorded, not measured" in comparison_table(figures).columns[0]
    assert comparison_facts(figures)["basis"] == "recorded, not measured"
    for text in (figures_csv(figures), points_csv(figures)):
        assert {row["basis"] for row in csv.DictReader(io.StringIO(text))} == {figures.basis}


def test_what_was_measured_again_stands_beside_the_best() -> None:
    twice, once = (
        Arm(label, (Run(0, curve(8, 6, 4), again),), "tpe", cold)
        for label, again, cold in (
            ("tpe none", (5.0, 6.0), True),
            ("tpe rules", (5.0, None), False),
        )
    )
    figures = comparison_figures("tpch", (twice, once))
    table = comparison_table(figures)
    assert table.columns[3] == "measured again, s"
    assert [row[3] for row in table.rows] == ["5.50", ""]
    assert figures.notes == ("tpe rules: seed 0's best configuration failed in its final runs",)
    facts = comparison_facts(figures)["arms"]
    assert (facts[0]["again"]["median"], facts[1]["again"]) == (5.5, None)
    assert facts[1]["runs"][0]["again"] == [5.0, None]
    rows = list(csv.DictReader(io.StringIO(figures_csv(figures))))
    assert [row["again"] for row in rows] == ["5.5", ""]
    searched = comparison_table(comparison_figures("tpch", ARMS))
    assert "measured again, s" not in searched.columns


def test_it_is_said_how_many_seeds_were_measured_again() -> None:
    runs = (Run(0, curve(8, 4), (5.0, 6.0)), Run(1, curve(8, 3)))
    figures = comparison_figures("tpch", [Arm("tpe none", runs, "tpe", cold=True)])
    assert comparison_table(figures).rows[0][3] == "5.50, 1 of 2 seeds"
    (row,) = csv.DictReader(io.StringIO(figures_csv(figures)))
    assert (row["sessions"], row["again_sessions"]) == ("2", "1")


def test_few_seeds_have_no_interval_of_95_percent() -> None:
    def row_and_notes(seeds: int) -> tuple[str, tuple[str, ...]]:
        sessions = [curve(8, 4 + seed) for seed in range(seeds)]
        figures = comparison_figures("tpch", [arm("tpe none", *sessions, cold=True)])
        return comparison_table(figures).rows[0][2], figures.notes

    assert row_and_notes(1) == ("4.00", ())
    shown, notes = row_and_notes(3)
    assert shown == "5.00 (4.00 to 6.00)"
    assert notes == (
        "an interval here is the span of 3 seeds; it holds the median with probability 75%",
    )
    assert row_and_notes(6)[1] == ()


def test_csv_has_every_arm_and_every_trial() -> None:
    figures = comparison_figures("tpch", ARMS)
    arms = list(csv.DictReader(io.StringIO(figures_csv(figures))))
    assert [row["arm"] for row in arms] == [one.label for one in ARMS]
    assert (arms[2]["trials_to_target"], arms[3]["trials_to_target"]) == ("2.0", "")
    gains = [(row["against"], row["speed_up_trials"], row["never_reached_trials"]) for row in arms]
    assert gains[0] == ("", "", "")
    assert gains[2:] == [("tpe none", "1.5", "0"), ("gp none", "0.0", "1")]
    trials = list(csv.DictReader(io.StringIO(points_csv(figures))))
    assert len(trials) == 12
    assert [row["best_so_far"] for row in trials[:3]] == ["8", "6", "4"]


def test_curves_are_drawn_in_files_that_load_nothing() -> None:
    drawn = [(one.label, band(one, Axis.TRIALS), band(one, Axis.SECONDS)) for one in ARMS]
    html = comparison_html(drawn, LATENCY, "tpch: recorded, not measured")
    assert "<script src=" not in html
    assert "recorded, not measured" in html
    assert all(f'"name":"{one.label}"' in html for one in ARMS)
    picture = svg_file(comparison_chart(drawn, LATENCY, "tpch: recorded"))
    assert picture == svg_file(comparison_chart(drawn, LATENCY, "tpch: recorded"))
    assert "tpch: recorded" in picture


def test_no_two_arms_look_alike() -> None:
    assert len({arm_look(index) for index in range(36)}) == 36


def stored(session_id: str, seed: int, **facts) -> tuple[SessionRecord, list[JournalEntry]]:
    """A stored session of two trials."""
    terms = {
        "target": "embedded",
        "workload": "tpch",
        "hardware": SPACE.hardware,
        "server_version": 18,
        "catalogue_hash": SPACE.catalogue_hash,
        "knobs": ("work_mem",),
        "objective": LATENCY,
        "optimizer": "tpe",
        "warm_start": "none",
        "plan": Plan(),
    }
    told = {"origin": Origin.from_json(facts.pop("origin", {}))}
    record = SessionRecord(id=session_id, seed=seed, **{**terms, **facts, **told})
    values = enumerate((8.0, 4.0))
    trials = [
        Trial(n, "tpe", Configuration({"work_mem": 64}), TrialStatus.SUCCEEDED, value, wall_s=10.0)
        for n, value in values
    ]
    return record, [JournalEntry(Phase.SEARCH, trial) for trial in trials]


def test_stored_sessions_make_arms_the_cold_first() -> None:
    arms = arms_from(
        [stored("a", 1, warm_start="rules"), stored("b", 1), stored("c", 2), stored("d", 1,
         optimizer="gp")]
    )  # fmt: skip
    assert [one.label for one in arms] == [
        "tpe, warm start none",
        "gp, warm start none",
        "tpe, warm start rules",
    ]
    assert [len(one.runs) for one in arms] == [2, 1, 1]
    assert [one.cold for one in arms] == [True, True, False]


def test_sessions_of_different_days_are_held_against_one_pace() -> None:
    """The machine was twice as slow in the second session's first trial, its reference."""
    (one, fast), (two, slow) = stored("a", 1), stored("b", 1, optimizer="gp")

    def paced(journal: list[JournalEntry], reference_s: float) -> list[JournalEntry]:
        pace = Pace(0.004, reference_s)
        return [replace(entry, trial=replace(entry.trial, pace=pace)) for entry in journal]

    arms = arms_from([(one, paced(fast, 0.002)), (two, paced(slow, 0.004))])
    first, second = ([p.value for p in arm.runs[0].curve.points] for arm in arms)
    felt = Pace(0.002, 0.004).ratio
    assert (first, second) == ([8.0, 4.0], [8.0 * felt, 4.0 * felt])
    assert arms_from([(one, fast)])[0].runs[0].curve.points[0].value == 8.0


def test_a_session_that_knew_an_earlier_one_is_in_an_arm_of_its_own() -> None:
    earlier = (Prior("z", Configuration({"work_mem": 64}), TrialStatus.SUCCEEDED, 4.0),)
    arms = arms_from(
        [
            stored("a", 1),
            stored("b", 1, prior=earlier),
            stored("c", 1, warm_start="model"),
            stored("d", 1, warm_start="model", prior=earlier),
            stored("e", 1, warm_start="prior", prior=earlier),
        ]
    )
    assert [(one.label, one.cold) for one in arms] == [
        ("tpe, warm start none", True),
        ("tpe, warm start none with prior", False),
        ("tpe, warm start model", False),
        ("tpe, warm start model with prior", False),
        ("tpe, warm start prior", False),
    ]


def suggested(*proposals: tuple[str, int], tried: tuple[tuple[str, int, float], ...]):
    """The first suggestions over the default of 4096: of each source its median."""
    record, _ = stored(
        "w",
        1,
        warm_start="file",
        proposals=tuple(Proposal(s, Configuration({"work_mem": size})) for s, size in proposals),
    )
    trials = [
        Trial(
            n, source, Configuration({"work_mem": size}), TrialStatus.SUCCEEDED, value, wall_s=1.0
        )
        for n, (source, size, value) in enumerate([("default", 4096, 8.0), *tried])
    ]
    warm = record, [JournalEntry(Phase.SEARCH, trial) for trial in trials]
    zeros = comparison_figures("tpch", arms_from([stored("c", 1), warm])).arms[1].zero_trials
    return {zero.source: zero.over_default.median for zero in zeros}


def test_a_first_suggestion_that_is_the_default_counts_as_one() -> None:
    found = suggested(("model", 4096), ("model", 64), tried=(("model", 64, 2.0),))
    assert found == {"model": 1.0}


def test_a_first_suggestion_that_another_source_made_too_counts_for_both() -> None:
    proposals = ("rules", 64), ("model", 64), ("model", 128)
    found = suggested(*proposals, tried=(("rules", 64, 4.0), ("model", 128, 1.0)))
    assert found == {"model": 2.0, "rules": 2.0}


def test_first_suggestions_are_told_in_the_order_in_which_they_were_tried() -> None:
    proposals = ("rules", 64), ("nearest", 128)
    found = suggested(*proposals, tried=(("rules", 64, 4.0), ("nearest", 128, 1.0)))
    assert list(found.items()) == [("rules", 2.0), ("nearest", 8.0)]


GROUND = {"baseline": {"work_mem": "4MB"}, "bounds": {"work_mem": "64kB to 1GB"}}
DIFFERENCES = {
    "workload: tpch and job": {"workload": "job"},
    "queries: 1a and 2b": {"origin": {"query_digest": "2b"}},
    "times: at one pace and raw": {"origin": {"raw_times": True}},
    "seconds of a run: 15.0 and 60.0": {"origin": {"run_s": 60.0}},
    "seconds of a run: 15.0 and 30.0": {"origin": {"duration_s": 30.0}},
    r"hardware: .*cores=2.*cores=4": {"hardware": Hardware(4, 4 << 30)},
    "server version: 18 and 17": {"server_version": 17},
    "set of knobs: only one of them has geqo": {"knobs": ("work_mem", "geqo")},
    "objective: ": {"objective": THROUGHPUT},
    "target: embedded and recorded": {"target": "recorded"},
    "baseline: work_mem 4MB and 8MB": {"origin": {**GROUND, "baseline": {"work_mem": "8MB"}}},
    "bounds: work_mem 64kB to 1GB and 64kB to 2GB": {
        "origin": {**GROUND, "bounds": {"work_mem": "64kB to 2GB"}}
    },
}


@pytest.mark.parametrize("text", DIFFERENCES)
def test_sessions_that_do_not_belong_together_are_refused(text) -> None:
    told = {"query_digest": "1a", "raw_times": False, "run_s": 15.0, **GROUND}
    one = stored("a", 1, origin=told)
    two = stored("b", 2, **DIFFERENCES[text])
    with pytest.raises(UsageError, match=f"a and b cannot be compared, for they differ in {text}"):
        arms_from([one, two])


def test_what_an_older_session_does_not_tell_is_not_compared() -> None:
    told = stored("a", 1, origin={"query_digest": "1a", "raw_times": False})
    older = stored("b", 2)
    assert len(arms_from([told, older])[0].runs) == 2
    other = stored("c", 3, origin={"query_digest": "2b"})
    with pytest.raises(UsageError, match="a and c cannot be compared"):
        arms_from([older, told, other])


def test_each_way_to_spare_work_is_an_arm() -> None:
    few = Plan(cheap=ALL_SAVINGS, keep_knobs=5)
    arms = arms_from([stored("a", 1), stored("b", 1, plan=few), stored("c", 2, plan=few)])
    assert [one.label for one in arms] == [
        "tpe, warm start none, spare cap",
        "tpe, warm start none, spare all, 5 knobs after 20 trials",
    ]
    assert [len(one.runs) for one in arms] == [1, 2]
    assert reference(arms[1], arms) is arms[0]


def test_what_a_way_spares_is_no_gain_of_a_warm_start() -> None:
    cheap = Plan(cheap=ALL_SAVINGS)
    arms = arms_from(
        [stored("a", 1), stored("b", 1, plan=cheap), stored("c", 1, plan=cheap, warm_start="rules")]
    )
    assert reference(arms[2], arms) is arms[1]


def test_each_length_of_a_search_is_an_arm() -> None:
    short, brief = Plan(trials=20), Plan(trials=None, seconds=90)
    arms = arms_from([stored("a", 1), stored("b", 2, plan=short), stored("c", 2, plan=brief)])
    assert [one.label for one in arms] == [
        "tpe, warm start none, 30 trials",
        "tpe, warm start none, 20 trials",
        "tpe, warm start none, within 1 min 30 s",
    ]


def test_each_adapter_and_each_file_is_an_arm() -> None:
    def started(session_id: str, seed: int, source: str, **origin: str):
        return stored(session_id, seed, warm_start=source, origin=origin)

    one, two = "1f" * 32, "2e" * 32
    arms = arms_from(
        [
            started("a", 1, "model", adapter=one),
            started("b", 2, "model", adapter=one),
            started("c", 1, "model", adapter=two),
            started("d", 1, "nearest", adapter=two),
            started("e", 1, "x.json,y.json", warm_start_file=f"{one}+{one}"),
            started("f", 1, "x.json,y.json", warm_start_file=f"{one}+{two}"),
        ]
    )
    assert [(one.label.removeprefix("tpe, warm start "), len(one.runs)) for one in arms] == [
        ("model, adapter 1f1f1f1f", 2),
        ("model, adapter 2e2e2e2e", 1),
        ("nearest", 1),
        ("x.json,y.json, file 1f1f1f1f+1f1f1f1f", 1),
        ("x.json,y.json, file 1f1f1f1f+2e2e2e2e", 1),
    ]


def test_a_session_of_before_adapters_were_kept_is_beside_those_of_one() -> None:
    told = stored("a", 1, warm_start="model", origin={"adapter": "1f" * 32})
    assert len(arms_from([told, stored("b", 2, warm_start="model")])[0].runs) == 2


def test_repeated_seeds_and_empty_sessions_are_refused() -> None:
    with pytest.raises(UsageError, match=r"one session for each seed, not \[1, 1\]"):
        arms_from([stored("a", 1), stored("b", 1)])
    with pytest.raises(UsageError, match="session a has no search trial"):
        arms_from([(stored("a", 1)[0], [])])
    with pytest.raises(UsageError, match="no session to compare"):
        arms_from([])
