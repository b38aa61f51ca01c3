"""What travels with an adapter beside its weights: the controls that need no language model."""

from dataclasses import replace

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from datagen.measurements import MEASUREMENTS_FILE, read_measurements
from datagen.pairs import Pair
from llmtune.benchmark.recording import SHIPPED, read_recording
from llmtune.errors import DatasetError
from llmtune.knobs.memory import fits
from llmtune.model.adapter import DEFAULT_ADAPTER
from llmtune.model.prompt import PromptCodec
from llmtune.model.surrogate_search import surrogate_search
from llmtune.model.training_set import (
    METADATA_KEY,
    TRAINING_SET_FILE,
    TrainingSet,
    decoded,
    numbers,
    read_training_set,
    write_training_set,
)
from llmtune.postgres.profile import Profile

RECORDING = read_recording(SHIPPED / "tpch.parquet")
SPACE = RECORDING.space()
PROFILE = Profile.from_json(RECORDING.profile)


@pytest.fixture(scope="module")
def shipped() -> TrainingSet:
    return read_training_set(DEFAULT_ADAPTER / TRAINING_SET_FILE)


def pair(prompt: str, **labels: str) -> Pair:
    completion = "".join(f"{name}: {label}\n" for name, label in labels.items())
    facts = {"server_version": 18, "cores": 2, "memory": 4 << 30}
    return Pair(prompt, completion, facts)


def test_numbers_are_found_by_their_words() -> None:
    assert numbers("scans: seq 25 idx 11") == {"scans:seq #0": 25.0, "scans:idx #0": 11.0}
    assert numbers("largest: -8 -10") == {"largest:#0": -8.0, "largest:#1": -10.0}


def test_a_training_set_comes_back(tmp_path) -> None:
    pairs = [pair("a: 1", work_mem="B", geqo="default"), pair("a: 9", work_mem="C")]
    write_training_set(tmp_path / "set.parquet", pairs)
    examples = read_training_set(tmp_path / "set.parquet").examples
    assert [dict(one.labels) for one in examples] == [{"work_mem": "B"}, {"work_mem": "C"}]
    assert examples[0].hardware.memory == 4 << 30


@pytest.mark.parametrize(("name", "value"), [("prompt", None), ("labels", "[]"), ("labels", None)])
def test_a_row_that_is_no_workload_with_its_label_is_told(tmp_path, name, value) -> None:
    path = tmp_path / TRAINING_SET_FILE
    write_training_set(path, [pair("a: 1", work_mem="B"), pair("a: 9", work_mem="C")])
    table = pq.read_table(path)
    rows = table.to_pylist()
    rows[1][name] = value
    about = {METADATA_KEY: table.schema.metadata[METADATA_KEY]}
    pq.write_table(pa.Table.from_pylist(rows).replace_schema_metadata(about), path)
    with pytest.raises(DatasetError, match=f"{TRAINING_SET_FILE}.* train it again"):
        read_training_set(path)


def test_an_adapter_without_one_says_how_to_get_it(tmp_path) -> None:
    with pytest.raises(DatasetError, match="llmtune train"):
        read_training_set(tmp_path / TRAINING_SET_FILE)


def test_the_nearest_workload_lends_its_label(shipped) -> None:
    far, near = shipped.examples[0], shipped.examples[1]
    own = replace(near, prompt=PromptCodec(SPACE).prompt(PROFILE), labels={"work_mem": "D"})
    found = TrainingSet([far, own]).nearest(PROFILE, SPACE)
    assert found == decoded({"work_mem": "D"}, SPACE) != SPACE.baseline()


def test_knobs_that_a_space_lacks_are_left_out() -> None:
    small = SPACE.subset(["work_mem"])
    assert tuple(decoded({"work_mem": "D", "io_workers": "A"}, small)) == ("work_mem",)


def test_the_constant_is_one_of_the_labels_whatever_is_asked(shipped) -> None:
    measurements = read_measurements(DEFAULT_ADAPTER / MEASUREMENTS_FILE)
    found = shipped.constant(measurements, SPACE)
    assert found in {decoded(one.labels, SPACE) for one in shipped.examples}
    assert found != SPACE.default()


def test_surrogate_search_goes_where_it_is_promised_most() -> None:
    knob = SPACE["work_mem"]

    def ratio(configuration) -> float:
        return 2.0 - knob.position(configuration["work_mem"])

    found = surrogate_search(ratio, SPACE, seed=0)
    assert [ratio(one) for one in found] == sorted(ratio(one) for one in found)
    assert ratio(found[0]) < 1.2, "the highest level of work_mem that fits"
    assert all(fits(one, SPACE) for one in found)
    assert found == surrogate_search(ratio, SPACE, seed=0)
