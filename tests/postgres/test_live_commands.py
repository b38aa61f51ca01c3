"""Restarting by a command: what it is run with, and what is told of one that fails."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from llmtune.errors import ServerDidNotStart, UsageError
from llmtune.postgres.live.restarter import (
    CommandRestarter,
    failed_restart,
    parse_command,
    run_command,
    unit_restarter,
)
from llmtune.tuning.requests import RestartRequest

ROOT = Path(__file__).parents[2]


def test_a_command_runs_without_a_shell_and_without_our_logins(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    names = ("PGPASSWORD", "PGPORT", "PGCLIENTENCODING", "PGDATA")
    for name in names:
        monkeypatch.setenv(name, "hunter2")
    program = f"import os, sys; print(sys.argv[1:], [n for n in {names} if n in os.environ])"
    assert run_command([sys.executable, "-c", program, "a; b", "$HOME"], 30.0) == (
        0,
        "['a; b', '$HOME'] ['PGDATA']",
    )


def test_a_command_that_fails_says_why() -> None:
    program = [sys.executable, "-c", "import sys; print('no such unit'); sys.exit(5)"]
    with pytest.raises(ServerDidNotStart, match="ended with code 5") as failure:
        CommandRestarter(program, [sys.executable, "-c", "print('too many starts')"]).restart()
    assert "no such unit" in failure.value.log


def test_the_servers_own_reason_leads() -> None:
    program = [sys.executable, "-c", "print('FATAL:  no space left'); raise SystemExit(1)"]
    with pytest.raises(ServerDidNotStart, match="did not restart: no space left"):
        CommandRestarter(program).restart()


def test_a_command_that_does_not_end_is_ended() -> None:
    program = [sys.executable, "-c", "import time; time.sleep(60)"]
    with pytest.raises(ServerDidNotStart, match="did not end within"):
        CommandRestarter(program, patience_s=0.2).restart()


def comes(path: Path) -> bool:
    """Whether it is there before long."""
    for _ in range(1000):
        if path.exists():
            return True
        time.sleep(0.01)
    return False


def test_a_command_goes_on_when_whoever_waits_for_it_is_interrupted(tmp_path: Path) -> None:
    begun, go, done = (tmp_path / name for name in ("begun", "go", "done"))
    work = f"""
import pathlib, time
pathlib.Path({str(begun)!r}).touch()
while not pathlib.Path({str(go)!r}).exists():
    time.sleep(0.01)
pathlib.Path({str(done)!r}).touch()
"""
    waits = f"""
from llmtune.cli.signals import interruptible
from llmtune.postgres.live.restarter import run_command
with interruptible():
    run_command({[sys.executable, "-c", work]}, 60.0)
"""
    command = [sys.executable, "-c", waits]
    with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.DEVNULL) as waiting:
        assert comes(begun)
        waiting.terminate()
        assert waiting.wait(30.0) != 0
    go.touch()
    assert comes(done)


def test_a_command_that_is_not_there_is_named() -> None:
    with pytest.raises(ServerDidNotStart, match="No such file"):
        parse_command("/nowhere/restart --now").restart()


@pytest.mark.parametrize("text", ["", "'unclosed"])
def test_a_command_must_be_readable(text: str) -> None:
    with pytest.raises(UsageError, match="restart command"):
        parse_command(text)


def test_a_units_name_is_checked() -> None:
    assert unit_restarter("postgresql@15-main").description.endswith("postgresql@15-main")
    with pytest.raises(UsageError, match="systemd unit"):
        unit_restarter("--help")


def test_a_units_start_limit_is_counted_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = tmp_path / "said"
    fake = tmp_path / "systemctl"
    fake.write_text(f'#!/bin/sh\necho "$@" >> {said}\n[ "$1" = restart ]\n')
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    unit_restarter("postgresql").restart()
    assert said.read_text().splitlines() == ["reset-failed postgresql", "restart postgresql"]


def test_what_a_server_tells_its_clients_is_not_why_it_did_not_start() -> None:
    said = (
        'FATAL:  could not load private key file "/etc/ssl/key": Permission denied\n'
        "FATAL:  terminating connection due to administrator command\n"
        "FATAL:  the database system is shutting down\n"
    )
    assert "could not load private key" in str(failed_restart("it", 1, said))


@pytest.mark.parametrize(
    ("request_", "says"),
    [
        ({"unit": "postgresql"}, "--allow-restart"),
        ({"allow": True}, "needs a way"),
        ({"allow": True, "unit": "a", "command": "b"}, "one way"),
    ],
)
def test_ways_to_restart_are_asked_for_in_full(request_: dict[str, object], says: str) -> None:
    with pytest.raises(UsageError, match=says):
        RestartRequest(**request_)  # type: ignore[arg-type]
