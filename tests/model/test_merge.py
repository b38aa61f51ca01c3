import json

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import LlamaForCausalLM

from llmtune.errors import ModelError
from llmtune.model.adapter import load_adapter, save_adapter
from llmtune.model.merge import merge_adapter
from llmtune.model.train import TrainSettings, add_adapter

FACTS = {"catalogue_hash": "c", "knobs": (), "dataset_hash": "d", "hyper_parameters": {}}


def fresh(tiny):
    return LlamaForCausalLM.from_pretrained(tiny.path, dtype=torch.float32).eval()


@pytest.fixture
def adapter(tiny, folder):
    model = add_adapter(fresh(tiny), TrainSettings(rank=3, alpha=5))
    with torch.no_grad():
        for name, layer in model.named_parameters():
            if "lora_" in name:
                layer.normal_(std=0.1)
    save_adapter(model, folder, tiny, FACTS)
    return folder


def test_a_merged_model_computes_what_peft_computes(tiny, adapter):
    ids = torch.arange(40)[None]
    merged = fresh(tiny)
    with torch.inference_mode():
        untuned = merged(ids).logits
        merge_adapter(dict(merged.named_parameters()), adapter)
        found = merged(ids).logits
        expected = load_adapter(fresh(tiny), adapter)(ids).logits
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)
    assert (found - untuned).abs().max() > 0.1


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"use_dora": True}, "plain LoRA"),
        ({"use_rslora": True}, "plain LoRA"),
        ({"rank_pattern": {"q_proj": 2}}, "plain LoRA"),
        ({"r": 0}, "damaged"),
        ({"lora_alpha": None}, "damaged"),
    ],
)
def test_other_kinds_of_adapter_are_refused(tiny, adapter, change, said):
    path = adapter / "adapter_config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(ModelError, match=said):
        merge_adapter(dict(fresh(tiny).named_parameters()), adapter)


@pytest.mark.parametrize("name", ["adapter_config.json", "adapter_model.safetensors"])
@pytest.mark.parametrize("content", [b"", b"{", b"[]", None])
def test_damaged_and_missing_files_are_named(tiny, adapter, name, content):
    (adapter / name).unlink()
    if content is not None:
        (adapter / name).write_bytes(content)
    with pytest.raises(ModelError, match=name):
        merge_adapter(dict(fresh(tiny).named_parameters()), adapter)


def test_layers_that_the_base_model_does_not_have_are_named(tiny, adapter):
    path = adapter / "adapter_model.safetensors"
    save_file(
        {name.replace("q_proj", "z_proj"): one for name, one in load_file(path).items()}, path
    )
    with pytest.raises(ModelError, match="z_proj"):
        merge_adapter(dict(fresh(tiny).named_parameters()), adapter)


def test_half_a_layer_is_refused(tiny, adapter):
    path = adapter / "adapter_model.safetensors"
    save_file({name: one for name, one in load_file(path).items() if "lora_A" in name}, path)
    with pytest.raises(ModelError, match="plain LoRA"):
        merge_adapter(dict(fresh(tiny).named_parameters()), adapter)


def test_layers_of_another_shape_are_named(tiny, adapter):
    path = adapter / "adapter_model.safetensors"
    save_file({name: one[:2].contiguous() for name, one in load_file(path).items()}, path)
    with pytest.raises(ModelError, match="does not fit"):
        merge_adapter(dict(fresh(tiny).named_parameters()), adapter)
