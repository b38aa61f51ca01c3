"""The command line on synthesized queries."""

from __future__ import annotations

import json

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


def test_a_throw_away_server_has_nothing_to_synthesize_from(run) -> None:
    ended = run("tune", "--workload", "synthesized")
    assert ended.exit_code == 2
    assert "--data-set" in ended.message


def test_the_number_of_queries_means_nothing_to_other_workloads(run) -> None:
    ended = run("tune", "--queries", "5")
    assert ended.exit_code == 2
    assert "--queries means nothing to the workload tpch" in ended.message
