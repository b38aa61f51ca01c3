"""Wrong requests: exit 2, a message with the mend, and no server started for them."""

from __future__ import annotations

from pathlib import Path

import pytest

from datagen.folder_lock import folder_lock
from llmtune.cli.app import app

WRONG = {
    "workload": (("--workload", "tpcx"), "unknown workload 'tpcx'; did you mean 'tpch'?"),
    "optimizer": (("--optimizer", "tpee"), "unknown optimizer 'tpee'; did you mean 'tpe'?"),
    "scale 0": (("--scale", 0), "scale"),
    "negative scale": (("--scale", -1), "scale"),
    "scale nan": (("--scale", "nan"), "scale"),
    "scale inf": (("--scale", "inf"), "scale"),
    "scale in words": (("--scale", "big"), "'--scale'"),
    "memory in words": (("--memory", "plenty"), "'--memory': 'plenty' is not an amount of memory"),
    "negative memory": (("--memory", "-1GB"), "'--memory'"),
    "memory beyond the machine": (("--memory", "900TB"), "memory must be from 64 MiB to"),
    "memory without its unit": (("--memory", 32), "at least 64 MiB, not 32B; write it with a unit"),
    "memory of an address without its unit": (
        ("--workload", "tpch", "--target", "postgresql://u:secret@host/db", "--memory", "32"),
        "at least 64 MiB, not 32B; write it with a unit",
    ),
    "no cores": (("--cores", 0), "'--cores'"),
    "cores beyond the machine": (("--cores", 100000), "cores must be from 1 to"),
    "no trials": (("--trials", 0), "trials must be at least 1, not 0"),
    "knobs kept from too early on": (("--keep-knobs", 5, "--after", 3), "not after 3"),
    "knobs kept of those planned together": (
        ("--optimizer", "plan", "--keep-knobs", 8),
        "plan plans all knobs together",
    ),
    "an optimizer that looks at what --observe does not run": (
        ("--observe", "--target", "postgresql://u:secret@127.0.0.1:1/db", "--optimizer", "plan"),
        "choose another, such as tpe",
    ),
    "after without knobs": (("--after", 20), "--keep-knobs K"),
    "time in words": (("--time-budget", "soon"), "'--time-budget': 'soon' is not a duration"),
    "no time": (("--time-budget", "0s"), "'--time-budget'"),
    "seed beyond 32 bits": (("--seed", 2**32), "'--seed'"),
    "negative seed": (("--seed", -1), "'--seed'"),
    "target": (("--target", "mysql://u:secret@host/db"), "unknown target 'mysql://u@host/db'"),
    "address": (
        ("--workload", "tpch", "--target", "postgresql://u:secret@[host/db"),
        "not a valid PostgreSQL",
    ),
    "no workload for an address": (
        ("--target", "postgresql://u:secret@host/db"),
        "say what your server is for by --workload",
    ),
    "queries that a dry run would have to run": (
        ("--workload", "synthesized", "--data-set", "tpch", "--dry-run"),
        "made by running each query once",
    ),
    "bindir of an address": (
        ("--workload", "tpch", "--target", "postgresql://host/db", "--bindir", "/usr/bin"),
        "--bindir goes with the embedded target",
    ),
    "bindir of a container": (("--target", "docker", "--bindir", "/usr/bin"), "--bindir goes with"),
    "image of another target": (("--image", "postgres:18"), "--image goes with the docker target"),
    "warm start": (("--warm-start", "mdel"), "'mdel' is none of model, rules, default, none"),
    "store": (("--store", "nonsense://x"), "not a database URL that can be opened"),
    "option": (("--trails", 3), "--trails"),
}


@pytest.fixture
def untouched(tmp_path: Path):
    """A cache in which nothing may appear."""
    cache = tmp_path / "cache"
    yield cache
    assert not cache.exists()


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_request_starts_nothing(case, run, untouched, tmp_path) -> None:
    arguments, text = WRONG[case]
    # The last of two equal options counts.
    usual = ("--warm-start", "rules", "--out", tmp_path / "out")
    done = run("tune", *usual, *arguments, LLMTUNE_CACHE=str(untouched))
    assert done.exit_code == 2
    assert text in done.message
    assert "secret" not in done.message


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ("work_mem = 64MB", "not JSON"),
        ("[1]", "not an object"),
        ("[]", "not an object"),
        ("", "not JSON"),
        ("{}", "a configuration without a knob"),
        ("[{}]", "a configuration without a knob"),
        ('[{"work_mem": "64MB"}, {}]', "a configuration without a knob"),
    ],
)
def test_a_damaged_warm_start_file_is_named(content, text, run, file, untouched) -> None:
    path = file(content)
    done = run("tune", "--warm-start", path, LLMTUNE_CACHE=str(untouched))
    assert done.exit_code == 2
    assert str(path) in done.message
    assert text in done.message


COMMANDS = {
    "tune": ("--warm-start", "rules"),
    "datagen": (),
    "compare": ("--warm-start", "rules"),
}


@pytest.mark.parametrize("command", COMMANDS)
def test_no_folder_for_results_is_found_out_first(command, run, untouched, tmp_path) -> None:
    (tmp_path / "taken").write_text("")
    out = tmp_path / "taken" / "out"
    done = run(command, *COMMANDS[command], "--out", out, LLMTUNE_CACHE=str(untouched))
    assert done.exit_code == 2
    assert f"cannot write to the output folder {out}: Not a directory" in done.message


@pytest.mark.parametrize("command", ["tune", "compare"])
def test_an_unknown_prior_is_found_out_before_anything_is_loaded(
    command, run, untouched, stored, tmp_path
) -> None:
    prior = ("--warm-start", "rules", "--prior", "nobody", "--store", stored)
    done = run(command, *prior, "--out", tmp_path / "out", LLMTUNE_CACHE=str(untouched))
    assert (done.exit_code, "no session 'nobody'" in done.message) == (1, True)


def test_a_suggestion_in_two_formats_is_refused(run, untouched) -> None:
    done = run("suggest", "--json", "--format", "sql", LLMTUNE_CACHE=str(untouched))
    assert done.exit_code == 2
    assert "leave one of --json and --format sql out" in done.message


def test_too_few_templates_are_found_out_before_their_data_are_loaded(
    run, untouched, tmp_path
) -> None:
    (tmp_path / "three.sql").write_text("SELECT 1; SELECT 1, 2; SELECT 1, 2, 3;")
    call = ("datagen", "--workload", tmp_path / "three.sql", "--data-set", "tpch")
    done = run(*call, "--out", tmp_path / "out", LLMTUNE_CACHE=str(untouched))
    assert done.exit_code == 2
    assert "at least 4 are needed" in done.message


def test_a_second_data_generation_in_a_folder_is_found_out_first(run, untouched, tmp_path) -> None:
    with folder_lock(tmp_path):
        done = run("datagen", "--out", tmp_path, LLMTUNE_CACHE=str(untouched))
    assert (done.exit_code, "another `llmtune datagen` is at work" in done.message) == (2, True)


def test_a_full_disk_is_found_out_first(run, untouched, full_folder) -> None:
    done = run("tune", "--warm-start", "rules", "--out", full_folder, LLMTUNE_CACHE=str(untouched))
    assert done.exit_code == 2
    assert "No space left" in done.message


@pytest.mark.parametrize("command", ["sessions", "show nobody", "resume nobody"])
def test_a_store_that_cannot_be_opened_is_named(command, run, tmp_path) -> None:
    (tmp_path / "notes.db").write_text("no database " * 100)
    done = run(*command.split(), "--store", f"sqlite:///{tmp_path}/notes.db")
    assert done.exit_code == 1
    assert "notes.db" in done.message


def test_an_unknown_session_is_named(run) -> None:
    for command in ("show", "resume"):
        done = run(command, "nobody")
        assert (done.exit_code, "no session 'nobody'" in done.message) == (1, True)


def test_a_new_user_is_told_how_to_start(run, tmp_path) -> None:
    done = run("sessions", "--store", f"sqlite:///{tmp_path}/new.db")
    assert "llmtune tune" in done.stdout


@pytest.mark.parametrize("command", [one.callback.__name__ for one in app.registered_commands])
def test_every_command_has_help_and_json(command, run) -> None:
    done = run(command, "--help")
    assert done.exit_code == 0
    assert "--json" in done.stdout


def test_without_a_command_the_help_is_shown(run) -> None:
    done = run()
    assert done.exit_code == 2
    assert "datagen" in done.stdout + done.stderr
