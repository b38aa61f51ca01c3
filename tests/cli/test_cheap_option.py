"""`--cheap` is refused where nothing is run."""

from __future__ import annotations


def test_a_recorded_benchmark_has_no_work_to_spare(run, tmp_path) -> None:
    done = run("compare", "--recorded", "tpch", "--cheap", "--out", tmp_path)
    assert done.exit_code == 2
    assert "--cheap goes with a server" in done.message
