from __future__ import annotations

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from llmtune.knobs.catalogue import load_catalogue
from llmtune.knobs.hardware import Hardware
from llmtune.knobs.space import KnobSpace, resolve_space
from llmtune.model.demand import DemandWords
from llmtune.model.prompt import PromptCodec
from llmtune.postgres.profile import PlanSummary, Profile, QueryProfile, Scan
from llmtune.postgres.statistics import TableStatistics

HARDWARE = Hardware(4, 4 << 30)
TABLES = tuple(
    TableStatistics(f"table{n}", 10**7 // n, (8 << 30) // n, (1 << 30) // n, 3)
    for n in range(1, 21)
)


def make_space(memory: int = HARDWARE.memory) -> KnobSpace:
    return resolve_space(load_catalogue(), 18, Hardware(HARDWARE.cores, memory))


CODEC = PromptCodec(make_space())


def query(number: int, hashed: float = 300e6, table: str = "table1") -> QueryProfile:
    summary = PlanSummary(
        total_cost=1e6 + number,
        workers=2,
        operators={"hash_join": 3, "nested_loop": 2, "seq_scan": 4, "index_scan": 2, "sort": 1},
        sorts=(200e6, 1e3),
        hashes=(hashed, 1e6),
        aggregates=(400e6,),
        scans=(Scan(table, "seq_scan", 1.0, 1e7), Scan("table2", "index_scan", 1e6, 1e6)),
    )
    return QueryProfile(f"secret{number}", f"hidden{number}", 1.0, summary)


def profile(queries: int = 30, hashed: float = 300e6) -> Profile:
    made = tuple(query(number, hashed) for number in range(queries))
    return Profile("analytic", HARDWARE, 18, 1, TABLES, made)


def test_the_prompt_names_no_table_query_or_template() -> None:
    prompt = CODEC.prompt(profile())
    assert "4 cores, 4 GiB memory" in prompt
    assert "30 queries" in prompt
    assert not any(word in prompt for word in ("table1", "table2", "secret", "hidden"))


def test_it_is_deterministic_and_does_not_depend_on_the_order_of_queries() -> None:
    made = profile()
    turned = replace(made, queries=made.queries[::-1])
    assert CODEC.prompt(made) == CODEC.prompt(turned) == CODEC.prompt(profile())


def test_larger_demands_are_said_with_higher_levels() -> None:
    words = DemandWords(18, HARDWARE)
    said = [words.sort(size) for size in (1e3, 4 << 20, 5 << 20, 900 << 20, 4 << 30)]
    assert said[:2] == ["ok", "ok"]
    assert "A" < said[2] < said[3] <= "L"
    assert said[4] == "over"
    assert words.hash(8 << 20) == "ok"


def test_a_level_that_is_named_is_enough() -> None:
    words, levels = DemandWords(18, HARDWARE), CODEC.levels
    for size in (5 << 20, 100 << 20, 900 << 20):
        assert int(levels.value("work_mem", words.sort(size))) * 1024 >= size


def test_the_same_shares_of_memory_read_the_same_on_other_hardware() -> None:
    small, large = profile(1), profile(1)
    tables = tuple(
        replace(t, heap_bytes=4 * t.heap_bytes, index_bytes=4 * t.index_bytes) for t in TABLES
    )
    large = replace(large, hardware=Hardware(4, 16 << 30), tables=tables)
    lines = (CODEC.prompt(small), PromptCodec(make_space(16 << 30)).prompt(large))
    first, second = (prompt.splitlines()[1:4] for prompt in lines)
    assert first == second


def test_a_mix_has_another_prompt() -> None:
    made = profile()
    assert CODEC.prompt(made) != CODEC.prompt(made.mix({"secret1": 1.0}))
    assert CODEC.prompt(profile(hashed=1e3)) != CODEC.prompt(profile(hashed=1e9))


@given(st.data())
@settings(max_examples=40, deadline=None)
def test_a_completion_has_the_level_of_each_knob(data: st.DataObject) -> None:
    space, levels = CODEC.space, CODEC.levels
    chosen = {
        name: data.draw(st.sampled_from(levels.labels(name)), label=name) for name in space.names
    }
    configuration = levels.decode(chosen)
    lines = CODEC.completion(configuration).splitlines()
    labels = dict(line.split(": ") for line in lines)
    assert (tuple(labels), len(lines)) == (space.names, len(labels))
    assert levels.decode(labels) == configuration


@given(
    hashed=st.floats(0, 1e13),
    queries=st.integers(1, 40),
    memory=st.sampled_from([64 << 20, 1 << 30, 512 << 30]),
)
@settings(max_examples=40, deadline=None)
def test_any_profile_has_a_short_prompt(hashed: float, queries: int, memory: int) -> None:
    made = replace(profile(queries, hashed), hardware=Hardware(4, memory))
    prompt = CODEC.prompt(made)
    assert prompt.endswith("levels:\n")
    assert len(prompt) < 1400


def test_tables_without_rows_and_queries_without_tables_have_a_prompt() -> None:
    empty = PlanSummary(0.0, 0, {"other": 1}, (), (), (), ())
    made = Profile("analytic", HARDWARE, 14, 1, (), (QueryProfile("q", "q", 1.0, empty),))
    assert "scans: none" in CODEC.prompt(made)
