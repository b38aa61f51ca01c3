import json

import pytest
import torch
from safetensors.torch import load_file
from transformers import LlamaConfig, LlamaForCausalLM

from llmtune.errors import ModelError
from llmtune.model.checkpoint import BaseModel, load_reader
from llmtune.model.llama import LlamaReader, llama_shape
from llmtune.model.reader import TransformersReader


def base_of(folder):
    return BaseModel(folder, "0", "small")


def small(folder, **changes):
    config = LlamaConfig(
        vocab_size=50,
        hidden_size=24,
        intermediate_size=40,
        num_hidden_layers=2,
        num_attention_heads=6,
        num_key_value_heads=2,
        initializer_range=0.5,
        **changes,
    )
    torch.manual_seed(2)
    model = LlamaForCausalLM(config).eval()
    model.save_pretrained(folder)
    return model


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"tie_word_embeddings": True},
        {"head_dim": 8},
        {"rms_norm_eps": 1e-2},
        {"rope_parameters": {"rope_type": "default", "rope_theta": 77.0}},
    ],
)
def test_it_reads_as_transformers_does(tmp_path, changes):
    model = small(tmp_path, **changes)
    shape = llama_shape(base_of(tmp_path))
    reader = LlamaReader(load_file(tmp_path / "model.safetensors"), shape)
    torch.testing.assert_close(reader.output, model.get_output_embeddings().weight)
    prompt, next_, last = torch.randint(0, 50, (11,)), *torch.randint(0, 50, (2, 3, 4))
    with torch.inference_mode():
        for _ in range(2):  # a second prompt must find nothing of the first
            found = [reader.read(prompt.tolist()), reader.advance(next_), reader.advance(last)]
            for length, hidden in zip((11, 15, 19), found, strict=True):
                for row in range(len(hidden)):
                    ids = torch.cat([prompt, next_[row], last[row]])[:length]
                    expected = model.model(ids[None]).last_hidden_state[0, -1]
                    torch.testing.assert_close(hidden[row], expected, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize(
    "change",
    [
        {"model_type": "mistral"},
        {"attention_bias": True},
        {"rope_parameters": {"rope_type": "llama3", "rope_theta": 1e4}},
        {"rope_parameters": None, "rope_scaling": {"rope_type": "linear"}},
        {"rope_parameters": None, "rope_scaling": {"type": "linear", "factor": 8.0}},
        {"quantization_config": {"quant_method": "gptq"}},
        {"hidden_act": "gelu"},
    ],
)
def test_other_architectures_are_left_to_transformers(tmp_path, change):
    small(tmp_path)
    path = tmp_path / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    assert llama_shape(base_of(tmp_path)) is None


def test_a_biased_llama_is_read_by_transformers(tmp_path):
    small(tmp_path, attention_bias=True)
    assert isinstance(load_reader(base_of(tmp_path), None), TransformersReader)


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"model_type": "llama"}'])
def test_a_damaged_configuration_is_named(tmp_path, content):
    (tmp_path / "model.safetensors").write_bytes(b"")
    (tmp_path / "config.json").write_text(content)
    with pytest.raises(ModelError, match=r"config\.json"):
        llama_shape(base_of(tmp_path))


def test_damaged_weights_are_named(tmp_path):
    small(tmp_path)
    path = tmp_path / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(ModelError, match=r"model\.safetensors"):
        load_reader(base_of(tmp_path), None)
