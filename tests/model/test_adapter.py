import json

import pytest

from llmtune.errors import AdapterMismatch, ModelError
from llmtune.model.adapter import check_adapter, load_adapter, read_card, save_adapter
from llmtune.model.checkpoint import load_base_model
from llmtune.model.train import TrainSettings, add_adapter

FACTS = {
    "catalogue_hash": "c" * 64,
    "knobs": ("work_mem",),
    "dataset_hash": "d" * 64,
    "hyper_parameters": {"rank": 16},
    "scores": {"tuned": {"nll": 0.5}},
}


@pytest.fixture
def adapter(tiny, folder):
    model = add_adapter(load_base_model(tiny), TrainSettings())
    save_adapter(model, folder, tiny, FACTS)
    return folder


def test_the_card_says_what_the_adapter_is_for(tiny, adapter):
    card = check_adapter(adapter, tiny, "c" * 64)
    assert card == read_card(adapter)
    assert (card.base_model, card.base_sha256) == (tiny.name, tiny.sha256)
    assert card.scores == {"tuned": {"nll": 0.5}}
    assert card.schema == 1


def test_an_older_card_without_templates_is_read(adapter):
    values = json.loads((adapter / "card.json").read_text())
    del values["templates"]
    (adapter / "card.json").write_text(json.dumps(values))
    assert read_card(adapter).templates == {}


def test_a_file_of_the_users_own_is_left_alone(tiny, adapter):
    (adapter / "README.md").write_text("mine")
    save_adapter(add_adapter(load_base_model(tiny), TrainSettings()), adapter, tiny, FACTS)
    assert (adapter / "README.md").read_text() == "mine"


def test_no_path_of_this_machine_is_written(tiny, adapter):
    for name in ("card.json", "adapter_config.json"):
        assert str(tiny.path) not in (adapter / name).read_text()


def test_lora_is_on_every_linear_layer(tiny, adapter):
    model = load_adapter(load_base_model(tiny), adapter)
    layers = {name.split(".")[-4] for name, _ in model.named_parameters() if "lora_A" in name}
    names = {name.split(".")[-3] for name, _ in model.named_parameters() if "lora_A" in name}
    assert layers | names >= {"q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "down_proj"}


def test_another_base_model_is_a_mismatch(other_base, adapter):
    with pytest.raises(AdapterMismatch, match="other"):
        check_adapter(adapter, other_base, "c" * 64)


def test_another_catalogue_is_a_mismatch(tiny, adapter):
    with pytest.raises(AdapterMismatch, match="catalogue"):
        check_adapter(adapter, tiny, "e" * 64)


@pytest.mark.parametrize("keep", [0, 100, -1])
def test_truncated_weights_are_named(tiny, adapter, keep):
    path = adapter / "adapter_model.safetensors"
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(ModelError, match=r"adapter_model\.safetensors are damaged"):
        check_adapter(adapter, tiny, "c" * 64)


def test_one_flipped_bit_is_found(tiny, adapter):
    path = adapter / "adapter_model.safetensors"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(ModelError, match="damaged"):
        check_adapter(adapter, tiny, "c" * 64)


@pytest.mark.parametrize("content", ["", "{", "[]", '{"schema": 1}', "null", '"card"'])
def test_a_damaged_card_is_named(tiny, adapter, content):
    (adapter / "card.json").write_text(content)
    with pytest.raises(ModelError, match=r"card\.json is damaged"):
        check_adapter(adapter, tiny, "c" * 64)


def test_a_card_of_another_schema_is_refused(adapter):
    values = json.loads((adapter / "card.json").read_text())
    (adapter / "card.json").write_text(json.dumps({**values, "schema": 2, "of_schema_2": 1}))
    with pytest.raises(ModelError, match="schema 2"):
        read_card(adapter)


def test_a_missing_file_is_named(tiny, adapter, tmp_path):
    (adapter / "adapter_model.safetensors").unlink()
    with pytest.raises(ModelError, match=r"adapter_model\.safetensors"):
        check_adapter(adapter, tiny, "c" * 64)
    with pytest.raises(ModelError, match="no adapter in"):
        check_adapter(tmp_path / "gone", tiny, "c" * 64)


@pytest.mark.parametrize("content", ["", "{}", '{"peft_type": "NONE"}'])
def test_a_damaged_configuration_is_named(tiny, adapter, content):
    (adapter / "adapter_config.json").write_text(content)
    with pytest.raises(ModelError, match=r"adapter_config\.json"):
        load_adapter(load_base_model(tiny), adapter)


def test_an_adapter_of_another_shape_is_named(tiny, adapter):
    values = json.loads((adapter / "adapter_config.json").read_text())
    (adapter / "adapter_config.json").write_text(json.dumps({**values, "r": 4}))
    with pytest.raises(ModelError, match="cannot be loaded"):
        load_adapter(load_base_model(tiny), adapter)
