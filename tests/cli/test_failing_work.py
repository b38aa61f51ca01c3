"""Work that fails: exit 1 with what, where and the mend; nothing left behind."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from llmtune.paths import is_file, is_folder

RULES = ("--warm-start", "rules", "--scale", "0.01")


def test_an_address_where_nothing_answers(run, tmp_path) -> None:
    target = "postgresql://me:secret@127.0.0.1:1/db"
    done = run("tune", *RULES, "--workload", "tpch", "--target", target, "--out", tmp_path)
    assert done.exit_code == 1
    assert "cannot connect to the server" in done.message
    assert "127.0.0.1" in done.message
    assert "secret" not in done.message


def test_a_server_of_a_version_that_is_not_covered(run, tmp_path) -> None:
    program = tmp_path / "postgres"
    program.write_text("#!/bin/sh\necho 'postgres (PostgreSQL) 13.4'\n")
    program.chmod(0o755)
    done = run("tune", *RULES, "--bindir", tmp_path, "--out", tmp_path / "out")
    assert done.exit_code == 1
    assert "PostgreSQL 13" in done.message
    assert "14 to 18" in done.message


def test_no_room_for_the_data(run, tmp_path, check_clean) -> None:
    done = run("tune", "--warm-start", "rules", "--scale", 500000, "--out", tmp_path)
    assert done.exit_code == 1
    assert "of disk space" in done.message
    assert "choose a smaller scale" in done.message
    check_clean()


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ({"wrk_mem": "64MB"}, "unknown knob 'wrk_mem'; did you mean 'work_mem'?"),
        ({"work_mem": "lots"}, "work_mem: 'lots' is not a number"),
        ({"work_mem": "900TB"}, "work_mem: "),
        ({"work_mem": None}, "work_mem: 'None' is not a number"),
        ({"jit": "on"}, "knob jit does nothing for this workload on this server; leave it out"),
        ({"fsync": "off"}, "knob fsync is not ours to change on this server; leave it out"),
        ({"random_page_cost": [1]}, "random_page_cost: "),
    ],
)
def test_a_warm_start_file_with_a_wrong_knob(content, text, run, file, tmp_path) -> None:
    path = file(json.dumps(content))
    done = run("tune", "--warm-start", path, "--scale", "0.01", "--out", tmp_path)
    assert done.exit_code == 2
    assert f"{path}, line 1: {text}" in done.message


@pytest.fixture
def spoilt(adapter: Path, tmp_path: Path) -> Path:
    """A copy of the adapter for a test to spoil."""
    return shutil.copytree(adapter, tmp_path / "spoilt")


def refused(run, tiny, folder: Path) -> str:
    done = run("suggest", "--adapter", folder, "--base", tiny.path, "--scale", "0.01")
    assert done.exit_code == 1
    assert str(folder) in done.message
    return done.message


def test_no_adapter(run, tiny, tmp_path) -> None:
    assert "there is no adapter" in refused(run, tiny, tmp_path)


def test_an_adapter_for_another_base_model(run, tiny, spoilt, tmp_path) -> None:
    other = shutil.copytree(tiny.path, tmp_path / "other")
    weights = load_file(other / "model.safetensors")
    changed = {name: torch.zeros_like(tensor) for name, tensor in weights.items()}
    save_file(changed, other / "model.safetensors", {"format": "pt"})
    done = run("tune", *RULES, "--warm-start", "model", "--adapter", spoilt, "--base", other)
    assert done.exit_code == 1
    assert f"trained for the base model {tiny.name}" in done.message


def test_an_adapter_for_another_catalogue(run, tiny, spoilt) -> None:
    card = spoilt / "card.json"
    card.write_text(json.dumps({**json.loads(card.read_text()), "catalogue_hash": "0" * 64}))
    assert "trained for another knob catalogue" in refused(run, tiny, spoilt)


@pytest.mark.parametrize("name", ["adapter_model.safetensors", "card.json"])
def test_a_damaged_adapter(name, run, tiny, spoilt) -> None:
    content = (spoilt / name).read_bytes()
    (spoilt / name).write_bytes(content[: len(content) // 2])
    assert "damaged" in refused(run, tiny, spoilt)


def test_training_that_cannot_start_leaves_the_earlier_adapter(
    run, generated, spoilt, tmp_path
) -> None:
    data = shutil.copytree(generated, tmp_path / "data")
    lines = (data / "pairs.jsonl").read_text().splitlines(keepends=True)
    (data / "pairs.jsonl").write_text("".join(lines[1:]))
    before = {file.name: file.read_bytes() for file in spoilt.iterdir()}
    (tmp_path / "empty").mkdir()
    done = run("train", data, "--base", tmp_path / "empty", "--out", spoilt)
    assert (done.exit_code, "has no config.json" in done.message) == (1, True)
    assert {file.name: file.read_bytes() for file in spoilt.iterdir()} == before


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (("--warm-start", "rules", "--adapter", "mine"), "leave out --adapter: no warm start"),
        (("--keep-knobs", 5, "--trials", 20), "--keep-knobs decides after 20 trials"),
    ],
)
def test_tune_refuses_what_would_do_nothing(call, text, run) -> None:
    done = run("tune", *call)
    assert (done.exit_code, text in done.message) == (2, True), done.message


LONG = "no_name" * 40
"""More than a file's name may have, so that the file system refuses to look."""


@pytest.mark.parametrize(
    ("call", "exit_code", "text"),
    [
        (("suggest", "--workload", LONG), 2, "unknown workload 'no_name"),
        (("suggest", "--base", LONG), 1, "no model file, folder or downloadable model"),
        (("compare", "--recorded", LONG), 2, "neither one of the recordings"),
        (("tune", "--warm-start", "rules," * 60 + "mdel"), 2, "'mdel' is none of model, rules"),
        (("evaluate", LONG), 1, "File name too long"),
    ],
)
def test_what_cannot_be_a_path_is_a_wrong_name(call, exit_code, text, run) -> None:
    done = run(*call)
    assert (done.exit_code, text in done.message) == (exit_code, True), done.message


def test_what_lies_in_a_closed_folder_is_no_file_of_ours(tmp_path) -> None:
    (tmp_path / "file").write_text("")
    assert (is_file(tmp_path / "file"), is_folder(tmp_path)) == (True, True)
    tmp_path.chmod(0)
    try:
        seen = {is_file(tmp_path / "file"), is_folder(tmp_path / "file")}
    finally:
        tmp_path.chmod(0o700)
    assert seen == {os.geteuid() == 0, False}


PAIR = {"prompt": "a", "completion": "b"}


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("{", "pairs.jsonl, line 1: not JSON"),
        (
            json.dumps({**PAIR, "metadata": {"schema_version": 1}}),
            "pairs.jsonl, line 1: the split of its metadata is None",
        ),
        (
            json.dumps({**PAIR, "metadata": {"schema_version": 1, "split": "train"}}),
            "not all pairs were made with this knob catalogue",
        ),
    ],
)
def test_damaged_pairs(line, text, run, tiny, tmp_path) -> None:
    (tmp_path / "pairs.jsonl").write_text(line + "\n")
    done = run("train", tmp_path, "--base", tiny.path, "--out", tmp_path / "out")
    assert done.exit_code == 1
    assert text in done.message
