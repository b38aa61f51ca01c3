import pytest
import torch
from transformers import Gemma2Config, Gemma2ForCausalLM, MistralConfig, MistralForCausalLM

from llmtune.errors import ModelError
from llmtune.model.reader import TransformersReader

SHAPE = {
    "vocab_size": 50,
    "hidden_size": 24,
    "intermediate_size": 40,
    "num_hidden_layers": 2,
    "num_attention_heads": 6,
    "num_key_value_heads": 2,
    "head_dim": 4,
    "initializer_range": 0.5,
}
PROMPT, NEXT = list(range(11)), torch.tensor([[1, 2], [3, 4]])


def windowed(window):
    torch.manual_seed(2)
    config = MistralConfig(**SHAPE, sliding_window=window, attn_implementation="eager")
    return MistralForCausalLM(config).eval()


def test_a_window_that_everything_fits_in_changes_nothing():
    expected = windowed(13).model(torch.tensor([[*PROMPT, 3, 4]])).last_hidden_state[0, -1]
    reader = TransformersReader(windowed(13))
    with torch.inference_mode():
        reader.read(PROMPT)
        found = reader.advance(NEXT)[1]
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)


def test_a_prompt_longer_than_the_window_is_refused():
    reader = TransformersReader(windowed(10))
    with pytest.raises(ModelError, match="sees only 10 of these 11 tokens"):
        reader.read(PROMPT)


def test_candidates_beyond_the_window_are_refused():
    reader = TransformersReader(windowed(11))
    reader.read(PROMPT)
    with pytest.raises(ModelError, match="sees only 11 of these 13 tokens"):
        reader.advance(NEXT)


def test_capped_scores_are_refused():
    model = Gemma2ForCausalLM(Gemma2Config(**SHAPE, layer_types=["full_attention"] * 2)).eval()
    with pytest.raises(ModelError, match="caps its attention scores"):
        TransformersReader(model).read(PROMPT)
