"""What a matrix goes on with, and what it is kept from being mixed with."""

import shutil
from dataclasses import replace

import pytest

from datagen.matrix_files import read_matrix
from datagen.measure import MatrixWriter
from datagen.synthetic import SyntheticTimer
from llmtune.errors import DatasetError
from tests.datagen.conftest import Paced, grow
from workloads.workload import Workload


def test_an_upgrade_in_between_leaves_one_matrix(header, timer, space, tmp_path):
    grow(MatrixWriter(tmp_path, header, timer, timer.what_if), space, 2)
    newer = replace(header, code_version="9.9", profile='{"rows": 2}')
    grow(MatrixWriter(tmp_path, newer, timer, timer.what_if), space, 4)
    assert read_matrix(tmp_path).header == header
    assert len(MatrixWriter(tmp_path, newer, timer, timer.what_if)) == 4


@pytest.mark.parametrize("name", ["queries", "database"])
def test_a_matrix_that_does_not_say_what_newer_ones_say_is_taken_up(
    header, timer, space, tmp_path, name
):
    older = replace(header, **{name: ""})
    grow(MatrixWriter(tmp_path, older, timer, timer.what_if), space, 2)
    grow(MatrixWriter(tmp_path, header, timer, timer.what_if), space, 4)
    assert read_matrix(tmp_path).header == older


OTHERS = {
    "data_set": "tpch-sf1",
    "database": "library",
    "queries": "0",
    "server_version": 17,
    "cores": 8,
    "memory": 2 << 30,
    "seed": 6,
    "catalogue_hash": "0",
    "feature_names": ("a",),
}


@pytest.mark.parametrize("name", OTHERS)
def test_a_folder_of_something_else_is_refused(header, timer, space, tmp_path, name):
    grow(MatrixWriter(tmp_path, header, timer, timer.what_if), space, 1)
    other = replace(header, **{name: OTHERS[name]})
    with pytest.raises(DatasetError, match="name another output folder"):
        MatrixWriter(tmp_path, other, timer, timer.what_if)


def test_a_folder_of_other_queries_is_refused(header, timer, space, five, tmp_path):
    grow(MatrixWriter(tmp_path, header, timer, timer.what_if), space, 1)
    fewer = SyntheticTimer(space, Workload("two", five.queries[:2], five.data_set))
    with pytest.raises(DatasetError, match="other queries"):
        MatrixWriter(tmp_path, header, fewer, fewer.what_if)


@pytest.mark.parametrize(
    ("first", "then", "said"),
    [
        (Paced, SyntheticTimer, "times at one pace of the machine, .* call it without --raw-times"),
        (SyntheticTimer, Paced, "times as measured, .* call it with --raw-times"),
    ],
)
def test_raw_times_and_times_at_one_pace_do_not_mix(
    header, space, five, tmp_path, first, then, said
):
    begun, other = first(space, five), then(space, five)
    grow(MatrixWriter(tmp_path, header, begun, begun.what_if), space, 2)
    with pytest.raises(DatasetError, match=said):
        MatrixWriter(tmp_path, header, other, other.what_if)
    assert len(grow(MatrixWriter(tmp_path, header, begun, begun.what_if), space, 4)) == 2


def test_a_matrix_that_mixes_them_already_says_which_runs_to_part(header, space, five, tmp_path):
    raw, paced = SyntheticTimer(space, five), Paced(space, five)
    grow(MatrixWriter(tmp_path, header, raw, raw.what_if), space, 1)
    grow(MatrixWriter(tmp_path / "b", header, paced, paced.what_if), space, 2)
    shutil.move(tmp_path / "b" / "run-00001.parquet", tmp_path)
    for timer, other in ((raw, 1), (paced, 0)):
        with pytest.raises(DatasetError, match=f"of two kinds: run {other} .* of one kind away"):
            MatrixWriter(tmp_path, header, timer, timer.what_if)


def test_runs_without_any_time_go_with_both(header, space, five, tmp_path):
    """Of a server that did not start nothing is known, so neither how it would be told."""
    raw, paced = SyntheticTimer(space, five), Paced(space, five)
    begun = MatrixWriter(tmp_path, header, raw, raw.what_if, lambda *_: "too hungry")
    with pytest.raises(DatasetError, match="too hungry"):
        grow(begun, space, 3)
    (run,) = read_matrix(tmp_path).runs
    assert run.rejected
    assert len(MatrixWriter(tmp_path, header, paced, paced.what_if)) == 1
