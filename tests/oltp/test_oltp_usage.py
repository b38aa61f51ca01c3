"""Wrong requests for transaction mixes: exit 2, the mend, and no server started."""

from __future__ import annotations

import pytest
from typer.testing import CliRunner

from llmtune.cli.app import app

WRONG = {
    "training data of a mix": (("datagen", "--workload", "tpcc"), "measured one by one"),
    "plans of a mix": (
        ("tune", "--workload", "tpcc", "--optimizer", "plan", "--warm-start", "rules"),
        "the optimizer plan need queries",
    ),
    "latency of a mix": (("suggest", "--workload", "ycsb-a", "--objective", "latency"), "p95"),
    "half a second": (("suggest", "--workload", "tpcb", "--duration", "500ms"), "whole number"),
    "no clients": (("suggest", "--workload", "smallbank", "--clients", "0"), "--clients"),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_request_for_a_mix_starts_nothing(case, tmp_path):
    arguments, text = WRONG[case]
    cache = tmp_path / "cache"
    environment = {
        "LLMTUNE_CACHE": str(cache),
        "XDG_DATA_HOME": str(tmp_path / "data"),
        "COLUMNS": "200",
    }
    out = ("--out", str(tmp_path / "out")) if arguments[0] != "suggest" else ()
    done = CliRunner(env=environment).invoke(app, [*arguments, *out])
    assert done.exit_code == 2, done.output
    assert text in done.stderr
    assert not cache.exists()
