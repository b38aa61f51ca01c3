"""Load time against the same statements through psql: `python benchmarks/load_speed.py 1`.

psql reads CSV files that were written beforehand, while LLMTune generates its rows
as it loads them. Both run on one embedded server with the same settings, in turns.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from llmtune.postgres.binaries import find_binaries
from llmtune.postgres.embedded import EmbeddedTarget
from llmtune.postgres.load import database_name, ensure_loaded, load_settings
from workloads.tpch import tpch_workload
from workloads.workload import DataSet

REFERENCE = "load_speed_psql"


def main(scale: float, rounds: int) -> None:
    # Under a name of its own, so that the user's loaded data sets stay.
    data_set = tpch_workload(scale).data_set
    assert isinstance(data_set, DataSet)
    data_set = replace(data_set, name="load-speed")
    times: dict[str, list[float]] = {"llmtune": [], "psql": []}
    with tempfile.TemporaryDirectory() as folder, EmbeddedTarget() as target:
        script = write_script(data_set, Path(folder), load_settings(target))
        for _ in range(rounds):
            times["llmtune"].append(time_llmtune(target, data_set))
            times["psql"].append(time_psql(target, script))
    for name, values in times.items():
        seconds = " ".join(f"{value:.1f}" for value in values)
        print(f"{name:8} median {statistics.median(values):6.1f} s  ({seconds})")
    ratio = statistics.median(times["llmtune"]) / statistics.median(times["psql"])
    print(f"TPC-H at scale factor {scale:g}: {ratio:.2f} times the time of psql")


def write_script(data_set: DataSet, folder: Path, settings: dict[str, str]) -> Path:
    """The load as a psql script: the same statements, from files with the same rows."""
    lines = [f"SET {name} = '{value}';" for name, value in settings.items()]
    for table in data_set.tables:
        rows = folder / f"{table.name}.csv"
        with rows.open("wb") as file:
            file.writelines(table.rows())
        copy = f"\\copy {table.name} from '{rows}' (format csv, freeze)"
        lines += ["BEGIN;", f"{table.create};", copy, "COMMIT;"]
    statements = [one for table in data_set.tables for one in table.indexes]
    lines += [f"{statement};" for statement in (*statements, *data_set.indexes)]
    lines += ["VACUUM (ANALYZE);", "CHECKPOINT;"]
    script = folder / "load.sql"
    script.write_text("\n".join(lines) + "\n")
    return script


def time_llmtune(target: EmbeddedTarget, data_set: DataSet) -> float:
    run_control(target, f"DROP DATABASE IF EXISTS {database_name(data_set)}")
    started = time.perf_counter()
    database = ensure_loaded(target, data_set)
    seconds = time.perf_counter() - started
    run_control(target, f"DROP DATABASE {database}")
    return seconds


def time_psql(target: EmbeddedTarget, script: Path) -> float:
    create = f"CREATE DATABASE {REFERENCE} TEMPLATE template0 ENCODING 'UTF8' LOCALE 'C'"
    run_control(target, f"DROP DATABASE IF EXISTS {REFERENCE}")
    started = time.perf_counter()
    run_control(target, create)
    with target.connect() as connection:
        server = connection.info
        address = ["--host", server.host, "--port", str(server.port), "--username", server.user]
    command = [find_binaries().program("psql"), "--quiet", "--no-psqlrc", *address]
    command += ["--set", "ON_ERROR_STOP=1", "--dbname", REFERENCE, "--file", str(script)]
    subprocess.run(command, check=True)
    seconds = time.perf_counter() - started
    run_control(target, f"DROP DATABASE {REFERENCE}")
    return seconds


def run_control(target: EmbeddedTarget, statement: str) -> None:
    with target.connect() as connection:
        connection.execute(statement.encode())


if __name__ == "__main__":
    arguments = [float(argument) for argument in sys.argv[1:]]
    main(arguments[0] if arguments else 1.0, int(arguments[1]) if len(arguments) > 1 else 3)
