"""One run of a transaction mix with pgbench."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from time import perf_counter

from llmtune.benchmark.pgbench_report import Latencies, Summary, failure, read_latencies
from llmtune.errors import TargetError
from llmtune.trial import TrialStatus
from workloads.workload import TransactionMix

TRIES = 10
"""How often a transaction is tried that fails on a deadlock or a serialization conflict."""

WEIGHT_PARTS = 10_000
"""pgbench wants whole weights; a mix's are shares."""


@dataclass(frozen=True, slots=True)
class MixRun:
    """How one run of a mix ended.

    Attributes:
        status: SUCCEEDED, FAILED, TIMED_OUT or CRASHED.
        seconds: of wall time.
        summary, latencies: of a run that succeeded.
        message: why it did not succeed, or what went wrong on the way.
    """

    status: TrialStatus
    seconds: float = 0.0
    message: str = ""
    summary: Summary | None = None
    latencies: Latencies = field(default_factory=lambda: Latencies({}))

    @classmethod
    def nothing(cls, status: TrialStatus, reason: str) -> MixRun:
        """What stands for a run that could not begin."""
        return cls(status, message=reason)

    def explained(self, reason: str) -> MixRun:
        """See `Run.explained`."""
        return replace(self, message=f"{reason}; {self.message}")


def run_mix(
    pgbench: Path,
    mix: TransactionMix,
    environment: Mapping[str, str],
    seconds: int,
    seed: int,
    patience_s: float,
) -> MixRun:
    """Run the mix for a while.

    Every client has a thread of its own, so that the seed decides all that it asks for:
    equal runs send equal streams of requests, however far each of them comes.

    Args:
        environment: libpq's variables, with which pgbench logs in.
        patience_s: how long after its end the last transactions may take.

    Raises:
        TargetError: pgbench cannot be run.
    """
    with tempfile.TemporaryDirectory(prefix="llmtune-mix-") as name:
        command = [*_dying_with_us(), str(pgbench), *_arguments(mix, Path(name), seconds, seed)]
        start = perf_counter()
        try:
            done = subprocess.run(
                command,
                env={**os.environ, **environment, "LC_ALL": "C"},
                capture_output=True,
                text=True,
                errors="replace",
                timeout=seconds + patience_s,
                check=False,
            )
        except subprocess.TimeoutExpired:
            message = f"transactions still ran {patience_s:g} s after the end"
            return MixRun(TrialStatus.TIMED_OUT, perf_counter() - start, message)
        except OSError as error:
            raise TargetError(f"cannot run {pgbench}: {error}") from error
        return _outcome(done, mix, Path(name), perf_counter() - start)


def _dying_with_us() -> list[str]:
    """What ends pgbench with us where we are killed; else it would run on until its time."""
    program = shutil.which("setpriv")
    return [program, "--pdeathsig", "KILL"] if program and sys.platform == "linux" else []


def _arguments(mix: TransactionMix, folder: Path, seconds: int, seed: int) -> list[str]:
    """pgbench's options; its scripts are written into `folder`."""
    total = sum(one.weight for one in mix.transactions)
    arguments = ["--no-vacuum", f"--client={mix.clients}", f"--jobs={mix.clients}"]
    arguments += [f"--time={seconds}", f"--random-seed={seed}", f"--max-tries={TRIES}"]
    arguments += ["--log", f"--log-prefix={folder / 'log'}"]
    for number, one in enumerate(mix.transactions):
        script = folder / f"{number}.sql"
        script.write_text(one.script, encoding="utf-8")
        parts = max(1, round(WEIGHT_PARTS * one.weight / total))
        arguments.append(f"--file={script}@{parts}")
    return arguments


def _outcome(
    done: subprocess.CompletedProcess[str], mix: TransactionMix, folder: Path, seconds: float
) -> MixRun:
    if done.returncode != 0:
        names = tuple(one.id for one in mix.transactions)
        return MixRun(TrialStatus.FAILED, seconds, failure(done.stderr, names))
    summary = Summary.parse(done.stdout)
    latencies = read_latencies(sorted(folder.glob("log.*")))
    if not latencies.count:
        note = summary.note or "no transaction ended in time"
        return MixRun(TrialStatus.FAILED, seconds, note)
    return MixRun(TrialStatus.SUCCEEDED, seconds, summary.note, summary, latencies)
