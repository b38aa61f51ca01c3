import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file

from llmtune.knobs.levels import LevelCodec
from llmtune.model.decoder import Decoder
from llmtune.model.llama import LlamaReader, llama_shape
from llmtune.model.reader import TransformersReader


def by_full_forwards(model, codec, prompt, labels=None, given=None):
    """Labels and log-likelihood with no cache and the whole output layer; greedy without labels.

    The likelihood is that of labels that are not given.
    """
    given = given or {}
    fixed = {**(labels or {}), **given}
    ids, total, chosen = list(codec.prompt(prompt)), 0.0, {}
    for knob in codec.knobs:
        ids += knob.prefix
        with torch.inference_mode():
            logits = model(torch.tensor([ids])).logits[0, -1]
        legal = [codec.label_ids[column] for column in knob.columns]
        scores = logits[legal].double().log_softmax(0)
        names = [codec.labels[column] for column in knob.columns]
        known = fixed.get(knob.name)
        best = int(scores.argmax()) if known is None else names.index(known)
        chosen[knob.name] = names[best]
        total += 0.0 if knob.name in given else float(scores[best])
        ids.append(legal[best])
    return chosen, total


@pytest.fixture(scope="module", params=["llama", "transformers"])
def decoder(request, tiny, tiny_model, codec):
    if request.param == "transformers":
        return Decoder(TransformersReader(tiny_model), codec)
    return Decoder(
        LlamaReader(load_file(tiny.path / "model.safetensors"), llama_shape(tiny)), codec
    )


@pytest.mark.parametrize("prompt", ["scan 12\n", "join\n", "x" * 150 + "\n"])
def test_the_first_candidate_is_greedy(decoder, tiny_model, codec, prompt):
    first, *_ = decoder.decode(codec.prompt(prompt), 4, 1.0, 0)
    labels, total = by_full_forwards(tiny_model, codec, prompt)
    assert first.labels == labels
    assert first.log_likelihood == pytest.approx(total, abs=1e-4)


def test_given_labels_stand_and_the_others_follow_from_them(tiny_model, codec):
    given = {codec.knobs[0].name: "C", codec.knobs[2].name: "default"}
    decoder = Decoder(TransformersReader(tiny_model), codec, given)
    made = decoder.decode(codec.prompt("scan 4\n"), 4, 2.0, 0)
    assert made[0].labels == by_full_forwards(tiny_model, codec, "scan 4\n", given=given)[0]
    for one in made:
        labels, total = by_full_forwards(tiny_model, codec, "scan 4\n", one.labels, given)
        assert given.items() <= one.labels.items()
        assert (one.labels, one.log_likelihood) == (labels, pytest.approx(total, abs=1e-4))


def test_log_likelihoods_are_those_of_full_forwards(decoder, tiny_model, codec):
    for candidate in decoder.decode(codec.prompt("scan 7\n"), 6, 2.0, 3):
        _, total = by_full_forwards(tiny_model, codec, "scan 7\n", candidate.labels)
        assert candidate.log_likelihood == pytest.approx(total, abs=1e-4)


@settings(max_examples=20, deadline=None)
@given(
    prompt=st.text(max_size=80),
    candidates=st.integers(1, 6),
    temperature=st.floats(0.05, 50),
    seed=st.integers(0, 2**40),
)
def test_whatever_the_model_says_is_a_valid_configuration(
    decoder, codec, space, prompt, candidates, temperature, seed
):
    decoded = decoder.decode(codec.prompt(prompt), candidates, temperature, seed)
    assert len(decoded) == candidates
    for one in decoded:
        space.validate(LevelCodec(space).decode(one.labels))
        assert -math.inf < one.log_likelihood <= 0


def test_the_same_seed_draws_the_same(decoder, codec):
    ids = codec.prompt("join 3\n")
    assert decoder.decode(ids, 5, 1.5, 11) == decoder.decode(ids, 5, 1.5, 11)
    assert decoder.decode(ids, 5, 1.5, 11) != decoder.decode(ids, 5, 1.5, 12)


def test_a_cold_temperature_draws_the_mode(decoder, codec):
    mode, *drawn = decoder.decode(codec.prompt("join\n"), 8, 1e-3, 0)
    assert [one.labels for one in drawn] == [mode.labels] * 7


def test_draws_follow_the_models_distribution(decoder, tiny_model, codec):
    knob = codec.knobs[0]
    ids = [*codec.prompt("scan\n"), *knob.prefix]
    with torch.inference_mode():
        logits = tiny_model(torch.tensor([ids])).logits[0, -1]
    expected = logits[[codec.label_ids[column] for column in knob.columns]].softmax(0).tolist()
    drawn = decoder.decode(codec.prompt("scan\n"), 2000, 1.0, 5)[1:]
    names = [codec.labels[column] for column in knob.columns]
    shares = [sum(one.labels[knob.name] == name for one in drawn) / len(drawn) for name in names]
    assert shares == pytest.approx(expected, abs=0.06)
