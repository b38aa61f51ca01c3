import json
from dataclasses import replace

import pytest

from llmtune.errors import ModelError
from llmtune.model.checkpoint import BaseModel, find_base_model, load_base_model, load_reader
from llmtune.model.tokens import TokenCodec, load_tokenizer


@pytest.fixture
def copy(tiny, tmp_path):
    for file in tiny.path.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    return tmp_path


def test_a_folder_is_known_by_its_weights(tiny, copy):
    assert find_base_model(copy) == replace(tiny, path=copy, name=copy.name)
    assert not tiny.converted
    weights = copy / "model.safetensors"
    weights.write_bytes(weights.read_bytes() + b" ")
    assert find_base_model(copy).sha256 != tiny.sha256


def test_a_loaded_model_is_in_bfloat16_and_evaluates(tiny):
    model = load_base_model(tiny)
    assert str(model.dtype) == "torch.bfloat16"
    assert not model.training


def test_a_folder_without_weights_is_named(copy):
    (copy / "model.safetensors").unlink()
    with pytest.raises(ModelError, match=str(copy)):
        find_base_model(copy)


@pytest.mark.parametrize(
    ("name", "content"),
    [("model.safetensors", b"no tensors"), ("config.json", b"{"), ("config.json", b"{}")],
)
def test_damaged_files_are_named(copy, name, content):
    base = find_base_model(copy)
    (copy / name).write_bytes(content)
    with pytest.raises(ModelError, match=str(copy)):
        load_base_model(base)


def read(base):
    return load_reader(base, None)


@pytest.mark.parametrize(
    ("name", "load"),
    [
        ("tokenizer.json", load_tokenizer),
        ("config.json", load_base_model),
        ("config.json", read),
        ("model.safetensors", load_base_model),
        ("model.safetensors", read),
    ],
)
def test_only_a_folder_that_was_made_here_is_to_be_deleted(copy, name, load):
    (copy / name).write_bytes(b"{")
    with pytest.raises(ModelError, match=f"delete the folder {copy}"):
        load(BaseModel(copy, "0", "damaged", converted=True))
    with pytest.raises(ModelError, match=f"get the files of {copy} anew"):
        load(BaseModel(copy, "0", "damaged"))


def test_truncated_weights_are_named(copy):
    weights = copy / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    with pytest.raises(ModelError, match=str(copy)):
        load_base_model(find_base_model(copy))


def test_a_file_that_is_no_model_leaves_nothing_behind(tmp_path):
    (tmp_path / "bad.gguf").write_bytes(b"GGUF and then nothing")
    with pytest.raises(ModelError, match=r"bad\.gguf"):
        find_base_model(tmp_path / "bad.gguf", cache=tmp_path / "cache")
    assert list((tmp_path / "cache" / "models").iterdir()) == []


def test_a_cache_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "cache").write_text("a file")
    (tmp_path / "bad.gguf").write_bytes(b"GGUF")
    with pytest.raises(ModelError, match="cache"):
        find_base_model(tmp_path / "bad.gguf", cache=tmp_path / "cache")


@pytest.fixture(scope="session")
def real() -> BaseModel:
    """In the user's cache, so that it is converted once and not once for each run."""
    return find_base_model()


def test_the_default_base_model_is_converted_completely(real):
    config = json.loads((real.path / "config.json").read_text())
    assert (config["model_type"], config["num_hidden_layers"]) == ("llama", 30)
    assert (real.path / "model.safetensors").stat().st_size == pytest.approx(269e6, rel=0.01)
    assert find_base_model() == real
    assert real.converted


def test_the_default_tokenizer_has_every_label(real):
    labels = ("default", *"ABCDEFGHIJKL")
    codec = TokenCodec(load_tokenizer(real), {"work_mem": labels})
    assert len(set(codec.label_ids)) == len(labels)
