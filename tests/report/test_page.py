"""The page, its charts, tables and exports say what the result says, and load nothing."""

import csv
import re
from dataclasses import replace
from html.parser import HTMLParser
from io import StringIO

import pytest

from llmtune.benchmark.observe import MEAN_TIME
from llmtune.knobs.configuration import Configuration
from llmtune.report.chart import PALETTE, comparison_chart, png, session_chart, svg
from llmtune.report.comparison import band
from llmtune.report.curve import Axis, session_curve
from llmtune.report.export import conf, sql, trials_csv
from llmtune.report.page import page
from llmtune.report.table import (
    QueryChange,
    Table,
    decision_table,
    facts_table,
    importance_table,
    knob_table,
    query_changes,
    trial_table,
)
from llmtune.report.wording import Verdict, headline, number_text, span_text
from llmtune.trial import QueryTime, Trial, TrialStatus
from llmtune.tuning.record import JournalEntry, Phase
from llmtune.tuning.result import KnobWeight, ObjectiveFacts
from tests.report.conftest import arm_of
from workloads.objective import LATENCY, THROUGHPUT

VOID = {"meta", "br", "hr", "img", "input", "link"}
PNG_MAGIC = b"\x89PNG\r\n\x1a\n"


class Balance(HTMLParser):
    """Collects the text, and fails on a tag that is closed out of order."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.text: list[str] = []

    def handle_starttag(self, tag, attrs) -> None:
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data) -> None:
        self.text.append(data)


def text_of(html: str) -> str:
    """The page's text on one line; asserts that its tags are balanced."""
    parser = Balance()
    parser.feed(html)
    assert parser.open == []
    return re.sub(r"\s+", " ", " ".join(parser.text))


def test_the_page_says_improved_with_its_interval(result) -> None:
    text = text_of(page(result))
    assert "1.36x better latency than the default" in text
    assert "95% interval 1.33x to 1.39x from 5 interleaved runs of each" in text
    assert "12.0 s (11.9 to 12.1)" in text


def test_the_page_claims_nothing_that_is_not_proven(unproven, nothing_found) -> None:
    text = text_of(page(unproven))
    assert "No improvement was proven" in text
    assert "0.97x to 1.09x" in text
    assert "better latency than" not in text
    text = text_of(page(nothing_found))
    assert "Nothing better than the default was found" in text
    assert "better latency than" not in text


def test_the_verdict_follows_the_interval(result, unproven, nothing_found) -> None:
    verdicts = [headline(one).verdict for one in (result, unproven, nothing_found)]
    assert verdicts == [Verdict.IMPROVED, Verdict.UNPROVEN, Verdict.NOTHING_FOUND]


def test_the_page_loads_nothing_and_escapes_what_it_shows(result) -> None:
    html = page(replace(result, workload="<script>alert(1)</script>"))
    assert "<script" not in html
    assert not re.search(r"\b(src|href)=\"(?!#)", html)
    assert "url(http" not in html
    assert "@import" not in html
    assert "&lt;&amp; &#34;quoted&#34;&gt;" in html


def test_the_page_shows_every_trial_and_why_it_failed(result) -> None:
    text = text_of(page(result))
    for reason in ("the server did not start", "q9 ran into its timeout", "could use 3.1GiB"):
        assert reason in text
    assert "stopped at 18.6 s" in text
    assert f"{len(result.trials)} trials" in text


def test_the_page_shows_queries_only_when_it_has_their_times(result) -> None:
    assert "before and after" not in page(result)
    text = text_of(page(result, [QueryChange("q7", 2.0, 0.5), QueryChange("q8", 1.0, 1.25)]))
    assert "q7 2.00 0.500 4.00x" in text
    assert "q8 1.00 1.25 0.80x" in text


@pytest.mark.parametrize(
    ("objective", "heading", "true", "untrue"),
    [
        (LATENCY, "Queries", ("ran once to warm up", "search may have left out"), "watched"),
        (THROUGHPUT, "Transactions", ("loaded database was copied",), "watched"),
        (MEAN_TIME, "Statements", ("own traffic was watched", "nothing was run"), "was copied"),
    ],
)
def test_the_page_says_how_it_was_measured(objective, heading, true, untrue, result) -> None:
    facts = ObjectiveFacts(objective.name, objective.unit, objective.direction)
    text = text_of(page(replace(result, objective=facts), [QueryChange("one", 2.0, 0.5)]))
    assert f"{heading}, before and after" in text
    assert all(one in text for one in true), text
    assert untrue not in text


def test_the_chart_names_the_baseline(result) -> None:
    assert "value under the default" in page(result)
    current = page(replace(result, baseline="current"))
    assert "value under the current settings" in current
    assert "the default" not in current


def test_query_changes_are_medians_of_the_final_runs_of_both_configurations() -> None:
    default, best, other = (Configuration({"work_mem": mem}) for mem in (4096, 8192, 64))

    def entry(
        configuration: Configuration, phase: Phase = Phase.CONFIRM, **seconds: float
    ) -> JournalEntry:
        times = tuple(QueryTime(name, value) for name, value in seconds.items())
        trial = Trial(0, "tpe", configuration, TrialStatus.SUCCEEDED, 1.0, times)
        return JournalEntry(phase, trial)

    entries = [
        entry(default, Phase.SEARCH, q1=90.0, q2=5.0),
        entry(default, Phase.SEARCH, q1=90.0, q2=5.0),
        entry(best, Phase.SEARCH, q1=0.1, q2=0.1),
        entry(best, Phase.PRUNE, q1=0.1, q2=0.1),
        entry(default, q1=1.0, q2=5.0),
        entry(default, q1=3.0, q2=5.0),
        entry(default, q1=2.0, q2=5.0, q3=1.0),
        entry(other, q1=9.0, q2=9.0),
        entry(best, q1=2.5, q2=1.0),
    ]
    changes = query_changes(entries, default, best)
    assert changes == (QueryChange("q2", 5.0, 1.0), QueryChange("q1", 2.0, 2.5))
    assert changes[0].ratio == 5.0
    assert query_changes(entries, default, default) == ()


def test_knobs_that_mattered_are_shown_with_their_interval(result) -> None:
    assert "Knobs that mattered" not in page(result)
    weights = (
        KnobWeight("work_mem", 0.42, (0.25, 0.6), matters=True),
        KnobWeight("jit", 0.02, (0.0, 0.1), matters=False),
    )
    text = text_of(page(replace(result, importance=weights)))
    assert "work_mem 42% 25% to 60%" in text
    assert [row[0] for row in importance_table(weights).rows] == ["work_mem"]
    assert "stand out from chance" in text_of(page(replace(result, importance=weights[1:])))


def test_tables_agree_with_the_result(result, nothing_found) -> None:
    assert [row[0] for row in knob_table(result.knobs).rows] == [k.name for k in result.knobs]
    assert decision_table(result).rows[1][2] == "1.36x (1.33x to 1.39x)"
    assert len(trial_table(result.trials, LATENCY).rows) == len(result.trials)
    facts = dict(facts_table(result).rows)
    assert facts["hardware"] == "2 cores, 2GiB memory"
    assert facts["trials"].startswith("23: 12 search, 1 prune, 10 confirm, 1 crashed")
    assert knob_table(nothing_found.knobs).rows == ()
    with pytest.raises(ValueError, match="every row needs the 2 cells"):
        Table(("a", "b"), (("1",),))


def test_charts_are_pictures_of_any_session(result) -> None:
    failed = [t for t in result.trials if t.value is None]
    for trials in (result.trials, result.trials[:1], failed, ()):
        chart = session_chart(
            session_curve(replace(result, trials=tuple(trials))), "title", "default"
        )
        assert png(chart).startswith(PNG_MAGIC)


def test_a_wide_range_of_values_gets_a_logarithmic_axis(result) -> None:
    slow = [replace(t, value=t.value * 40 if t.number == 3 else t.value) for t in result.trials[:5]]
    narrow, wide = (
        session_chart(session_curve(replace(result, trials=tuple(trials))), "", "default").axes[0]
        for trials in (result.trials, slow)
    )
    assert (narrow.get_yscale(), wide.get_yscale()) == ("linear", "log")


def test_a_comparison_is_drawn_for_each_arm(result) -> None:
    arm = arm_of("model", [result, replace(result, seed=2)])
    drawn = comparison_chart(
        [("model", band(arm, Axis.TRIALS), band(arm, Axis.SECONDS))], LATENCY, ""
    )
    assert png(drawn).startswith(PNG_MAGIC)
    assert "model" in svg(drawn, "comparison")


def test_an_inline_picture_follows_the_page_and_depends_on_the_data_alone(result) -> None:
    one, two = (
        svg(session_chart(session_curve(result), "t", "default"), '"a" <b>') for _ in range(2)
    )
    assert one == two
    assert 'aria-label="&quot;a&quot; &lt;b>"' in one
    assert "var(--ink," in one
    for colour in PALETTE.values():
        assert one.count(colour) == one.count(f", {colour})")


def test_exports_are_what_postgresql_reads(result) -> None:
    lines = conf(result.knobs, "tpch\n1.36x").splitlines()
    assert lines[:2] == ["# tpch", "# 1.36x"]
    assert [line for line in lines if not line.startswith("#")] == [
        "work_mem = '64MB'",
        "shared_buffers = '1GB'",
        "random_page_cost = '1.1'",
    ]
    assert sql(result.knobs, "tpch\n1.36x").splitlines() == [
        "-- tpch",
        "-- 1.36x",
        "ALTER SYSTEM SET work_mem = '64MB';",
        "ALTER SYSTEM SET shared_buffers = '1GB';",
        "ALTER SYSTEM SET random_page_cost = '1.1';",
        "SELECT pg_reload_conf();",
        "-- in force only after a restart: shared_buffers",
    ]
    assert sql((), "Keep the default.") == "-- Keep the default.\n"


def test_trials_are_rows_with_a_column_for_each_knob(result) -> None:
    text = trials_csv(result.session, LATENCY, result.trials)
    rows = list(csv.DictReader(StringIO(text, newline="")))
    assert [int(row["number"]) for row in rows] == [trial.number for trial in result.trials]
    assert {row["session"] for row in rows} == {result.session}
    crashed = rows[5]
    assert (crashed["status"], crashed["value"], crashed["unit"]) == ("crashed", "", "s")
    assert crashed["message"] == result.trials[5].message
    assert (rows[3]["knob.work_mem"], rows[3]["knob.jit"]) == ("65536", "True")


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.01234, "0.0123"), (12.64, "12.6"), (1234.4, "1234"), (0.0, "0"), (999.9, "1000")],
)
def test_numbers_have_three_significant_digits(value: float, text: str) -> None:
    assert number_text(value) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(8.3, "8.30 s"), (59.99, "60.0 s"), (432, "7 min 12 s"), (7500, "2 h 5 min")],
)
def test_spans_are_for_people(seconds: float, text: str) -> None:
    assert span_text(seconds) == text
