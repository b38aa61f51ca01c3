"""A comparison goes on only with what its sessions were started from."""

import json
import shutil

import pytest

from llmtune.cli.progress import Reporter
from llmtune.errors import AdapterMismatch, DatasetError
from llmtune.model.ready import ModelRequest
from llmtune.model.warm_start import open_warm_start
from llmtune.model.warm_start_file import read_file
from llmtune.tuning.origin import STARTS
from llmtune.tuning.store import SessionStore
from llmtune.tuning.terms import started_from


@pytest.fixture
def identity(tiny):
    """What a warm start from an adapter is known by."""

    def find(source, adapter):
        request = ModelRequest(adapter, str(tiny.path))
        return open_warm_start(source, request, Reporter(quiet=True).say).identity

    return find


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("model", "measurements"),
        ("nearest", "training_set"),
        ("constant", "training_set"),
        ("constant", "measurements"),
        ("surrogate", "measurements"),
    ],
)
def test_other_data_are_another_warm_start(source, name, adapter, identity, tmp_path) -> None:
    path = shutil.copytree(adapter, tmp_path / "adapter")
    before = identity(source, path)
    assert before == identity(source, adapter)
    assert set(before) <= set(STARTS), "a comparison of stored sessions tells them apart by these"
    file = path / f"{name}.parquet"
    # What Parquet keeps at the end of a file: the same rows, another writer.
    content = file.read_bytes()
    assert b"parquet-cpp-arrow" in content
    file.write_bytes(content.replace(b"parquet-cpp-arrow", b"parquet-cpp-arroW"))
    assert identity(source, path) != before


@pytest.mark.parametrize("source", ["model", "surrogate"])
def test_missing_measurements_are_named(source, adapter, identity, tmp_path) -> None:
    path = shutil.copytree(adapter, tmp_path / "adapter")
    (path / "measurements.parquet").unlink()
    with pytest.raises(DatasetError, match=r"measurements\.parquet cannot be read"):
        identity(source, path)


def test_a_session_keeps_what_its_warm_start_came_from(run, file, stored, tmp_path) -> None:
    start, out = file('{"work_mem": "64MB"}'), tmp_path / "out"
    call = ("tune", "--scale", "0.01", "--warm-start", start, "--trials", "1", "--out", out)
    session = run(*call, "--store", stored, "--json").json["session"]
    record = SessionStore(stored).summary(session).record
    assert started_from(record) == {"file": read_file(start).sha256}


@pytest.mark.parametrize("source", ["model", "nearest", "constant", "surrogate"])
def test_an_adapter_of_another_knob_catalogue_is_refused(
    source, adapter, identity, tmp_path
) -> None:
    """Its letters and positions would be read as other values."""
    path = shutil.copytree(adapter, tmp_path / "adapter")
    card = path / "card.json"
    card.write_text(json.dumps({**json.loads(card.read_text()), "catalogue_hash": "0" * 64}))
    with pytest.raises(AdapterMismatch, match="another knob catalogue"):
        identity(source, path)
