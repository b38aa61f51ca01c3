"""The command line on synthesized queries."""

from __future__ import annotations

import json

from datagen.matrix_files import read_matrix
from llmtune.tuning.store import SessionStore
from tests.cli.conftest import stopped

OVER_TPCH = ("--workload", "synthesized", "--data-set", "tpch", "--scale", "0.01")


def test_training_pairs_come_from_synthesized_queries(run, tmp_path) -> None:
    few = ("--sampled", "5", "--refined", "1", "--verified", "1", "--mixes", "8")
    out = tmp_path / "pairs"
    done = run("datagen", *OVER_TPCH, "--queries", "6", *few, "--seed", "4", "--out", out, "--json")
    assert done.json["pairs"] == 8
    lines = (out / "pairs.jsonl").read_text().splitlines()
    facts = [json.loads(line)["metadata"] for line in lines]
    assert {one["data_set"] for one in facts} == {"tpch-sf0.01"}
    assert all(name.startswith("synthesized-") for one in facts for name in one["templates"])
    call = ("datagen", *OVER_TPCH, *few, "--seed", "4", "--sampled", "6", "--out", out)
    again = run(*call, "--queries", "9")  # as if the statistics had moved on: others are drawn
    assert again.exit_code == 0, again.stderr
    assert "Continuing with the queries in" in again.message
    assert len(read_matrix(out / "matrix").query_ids) == 6
    lines = (out / "pairs.jsonl").read_text().splitlines()
    assert [json.loads(line)["metadata"]["templates"] for line in lines] == [
        one["templates"] for one in facts
    ]
    others = tmp_path / "others.sql"
    others.write_text(
        "".join(f"-- name: s{n}\nSELECT '{n}'::int{n * '+1'};\n" for n in range(1, 7))
    )
    mixed = run("datagen", "--workload", others, *OVER_TPCH[2:], *few, "--seed", "4", "--out", out)
    assert mixed.exit_code == 1
    assert "queries with these names and other SQL" in mixed.message


def test_a_session_goes_on_with_the_queries_that_it_drew(run, stored, tmp_path) -> None:
    short = ("--warm-start", "none", "--trials", "1", "--out", tmp_path, "--store", stored)
    assert run("tune", *OVER_TPCH, "--queries", "3", *short).exit_code == 0
    session = stopped(stored, tmp_path)
    (kept,) = tmp_path.glob("synthesized-*.sql")
    assert SessionStore(stored).summary(session).record.origin.workload == str(kept)
    assert kept.read_text().count("-- name: s") == 3
    resumed = run("resume", session, "--store", stored)
    assert resumed.exit_code == 0, resumed.stderr
    assert "Synthesized" not in resumed.message


def test_a_throw_away_server_has_nothing_to_synthesize_from(run) -> None:
    ended = run("tune", "--workload", "synthesized")
    assert ended.exit_code == 2
    assert "--data-set" in ended.message


def test_the_number_of_queries_means_nothing_to_other_workloads(run) -> None:
    ended = run("tune", "--queries", "5")
    assert ended.exit_code == 2
    assert "--queries means nothing to the workload tpch" in ended.message
