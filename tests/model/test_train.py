from dataclasses import replace

import pytest
import torch

from datagen.pairs import Pair
from llmtune.errors import DatasetError, ModelError, UsageError
from llmtune.model.adapter import check_adapter, load_adapter
from llmtune.model.checkpoint import load_base_model
from llmtune.model.evaluate import compare_with_base, encode_pairs, evaluate_adapter, score
from llmtune.model.held_out import held_out_for
from llmtune.model.labels import collate, label_head, label_log_probabilities, transformer_body
from llmtune.model.train import TrainSettings, train_adapter

QUICK = TrainSettings(epochs=4, batch=8, learning_rate=2e-2, save_every=2)


class Stop(Exception):
    """What a progress callback raises to stop a run, as Ctrl-C would."""


def weights(folder):
    return (folder / "adapter_model.safetensors").read_bytes()


def test_training_learns_what_the_prompts_say(tiny, space, pairs, folder):
    seen = []
    card = train_adapter(
        tiny, space, pairs[:40], folder, held_out=pairs[40:], settings=QUICK, progress=seen.append
    )
    assert card.scores["tuned"]["nll"] < card.scores["base"]["nll"] / 3
    assert card.scores["tuned"]["accuracy"] > 0.9
    assert [one.step for one in seen] == list(range(1, 21))
    assert all(one.steps == 20 and one.tokens_per_second > 0 for one in seen)
    assert [bool(one.held_out) for one in seen] == [one.step % 5 == 0 for one in seen]
    last = [one.held_out.nll for one in seen if one.held_out][-1]
    assert card.scores["tuned"]["nll"] == pytest.approx(last, rel=1e-3)
    assert sorted(one.name for one in folder.iterdir()) == [
        "adapter_config.json",
        "adapter_model.safetensors",
        "card.json",
    ]


def test_an_adapters_scores_can_be_had_again(tiny, space, pairs, folder):
    settings = replace(QUICK, epochs=1)
    card = train_adapter(tiny, space, pairs[:16], folder, held_out=pairs[40:], settings=settings)
    again = evaluate_adapter(tiny, folder, held_out_for(tiny, folder, space, pairs[40:]))
    assert again.to_json() == card.scores


def test_the_same_seed_trains_the_same_adapter(tiny, space, pairs, tmp_path):
    settings = replace(QUICK, epochs=1)
    for name, seed in (("one", 0), ("two", 0), ("three", 1)):
        train_adapter(tiny, space, pairs, tmp_path / name, settings=replace(settings, seed=seed))
    assert weights(tmp_path / "one") == weights(tmp_path / "two")
    assert weights(tmp_path / "one") != weights(tmp_path / "three")


@pytest.mark.parametrize("stopped_at", [3, 6])
def test_a_stopped_run_ends_as_if_it_had_not_been(tiny, space, pairs, tmp_path, stopped_at):
    settings = replace(QUICK, epochs=2)
    held = pairs[40:]

    def stop(progress):
        if progress.step == stopped_at:
            raise Stop

    with pytest.raises(Stop):
        train_adapter(
            tiny, space, pairs[:40], tmp_path / "b", held_out=held, settings=settings, progress=stop
        )
    assert not (tmp_path / "b" / "card.json").exists()
    rest = []
    resumed = train_adapter(
        tiny,
        space,
        pairs[:40],
        tmp_path / "b",
        held_out=held,
        settings=settings,
        progress=rest.append,
    )
    whole = train_adapter(tiny, space, pairs[:40], tmp_path / "a", held_out=held, settings=settings)
    assert 2 < rest[0].step <= stopped_at + 1
    assert resumed.weights_sha256 == whole.weights_sha256
    assert resumed.scores == whole.scores


def test_a_checkpoint_of_another_run_is_refused(tiny, space, pairs, folder):
    def stop(progress):
        if progress.step == 2:
            raise Stop

    with pytest.raises(Stop):
        train_adapter(tiny, space, pairs, folder, settings=QUICK, progress=stop)
    with pytest.raises(ModelError, match="other pairs or settings"):
        train_adapter(tiny, space, pairs[:-1], folder, settings=QUICK)
    (folder / "checkpoint.pt").write_bytes(b"PK half a checkpoint")
    with pytest.raises(ModelError, match=r"checkpoint\.pt is damaged"):
        train_adapter(tiny, space, pairs, folder, settings=QUICK)


@pytest.mark.parametrize("content", [{"state_dict": {}}, [1.0], torch.zeros(3)])
def test_a_checkpoint_of_another_program_is_refused(tiny, space, pairs, folder, content):
    folder.mkdir()
    torch.save(content, folder / "checkpoint.pt")
    with pytest.raises(ModelError, match=r"checkpoint\.pt is no checkpoint of `llmtune train`"):
        train_adapter(tiny, space, pairs, folder, settings=QUICK)


def test_an_earlier_adapter_stays_whole_until_the_new_one_is_there(tiny, space, pairs, folder):
    def write(text):
        return lambda where: (where / "beside").write_text(text)

    def stop(progress):
        raise Stop

    settings, seen = replace(QUICK, epochs=1), []
    card = train_adapter(tiny, space, pairs[:8], folder, settings=settings, beside=write("earlier"))
    again = (tiny, space, pairs[8:], folder)
    with pytest.raises(Stop):
        train_adapter(*again, settings=settings, progress=stop, beside=write("new"))
    assert check_adapter(folder, tiny, space.catalogue_hash) == card
    assert (folder / "beside").read_text() == "earlier"

    def fail(where):
        seen.extend(file.name for file in where.iterdir())
        raise OSError("no room")

    with pytest.raises(ModelError, match="no room"):
        train_adapter(*again, settings=settings, beside=fail)
    assert "card.json" not in seen
    assert not (folder / "card.json").exists()
    assert train_adapter(*again, settings=settings, beside=write("new")) != card
    assert (folder / "beside").read_text() == "new"


def test_pairs_of_templates_that_were_trained_on_are_not_scored(tiny, space, pairs, folder):
    def of(some, schema, *templates):
        facts = {"schema": schema, "templates": list(templates)}
        return [replace(pair, metadata=facts) for pair in some]

    trained = of(pairs[:8], "tpch", "q2", "q1")
    card = train_adapter(tiny, space, trained, folder, settings=replace(QUICK, epochs=1))
    assert card.templates == {"tpch": ["q1", "q2"]}
    with pytest.raises(DatasetError, match=r"trained on query templates of .*: q2 of tpch;"):
        held_out_for(tiny, folder, space, of(pairs[40:], "tpch", "q2", "q3"))
    for schema, template in (("tpch", "q3"), ("job", "q2")):
        told = of(pairs[40:], schema, template)
        assert held_out_for(tiny, folder, space, told).pairs == tuple(told)


def test_an_untrained_adapter_changes_nothing(tiny, space, codec, pairs, folder):
    # Half of LoRA starts at zero: one step with a rate of almost nothing stays there.
    settings = replace(QUICK, epochs=1, learning_rate=1e-12)
    train_adapter(tiny, space, pairs[:8], folder, settings=settings)
    model = load_adapter(load_base_model(tiny), folder)
    compared = compare_with_base(model, codec, encode_pairs(codec, pairs[:4]))
    assert compared.tuned.nll == pytest.approx(compared.base.nll, abs=1e-4)


def test_padding_changes_no_score(tiny_model, codec, pairs):
    sequences = encode_pairs(codec, pairs[:5])
    head, body = label_head(tiny_model, codec), transformer_body(tiny_model)
    with torch.inference_mode():
        together = label_log_probabilities(body, head, collate(sequences, "cpu"))
        alone = [label_log_probabilities(body, head, collate([one], "cpu")) for one in sequences]
    torch.testing.assert_close(together, torch.cat(alone))


def test_scores_are_those_of_a_full_forward(tiny_model, codec, pairs):
    sequences = encode_pairs(codec, pairs[:6])
    nll, right = 0.0, 0
    for one in sequences:
        with torch.inference_mode():
            logits = tiny_model(torch.tensor([one.ids])).logits[0].double()
        for position, knob, target in zip(one.positions, one.knobs, one.targets, strict=True):
            legal = codec.knobs[knob].columns
            scores = logits[position, [codec.label_ids[each] for each in legal]].log_softmax(0)
            nll -= float(scores[legal.index(target)])
            right += legal[int(scores.argmax())] == target
    found = score(tiny_model, codec, sequences)
    assert (found.pairs, found.labels, found.changed) == (6, 24, 18)
    assert found.nll == pytest.approx(nll / 24, abs=1e-5)
    assert found.accuracy == right / 24


def test_pairs_that_do_not_fit_are_named(tiny, space, pairs, folder):
    with pytest.raises(DatasetError, match=r"pair 2: .*work_men"):
        train_adapter(tiny, space, [pairs[0], Pair("p", "work_men: A\n")], folder)
    with pytest.raises(DatasetError, match="no pairs"):
        train_adapter(tiny, space, [], folder)


def test_a_folder_that_cannot_be_written_is_named(tiny, space, pairs, tmp_path):
    (tmp_path / "file").write_text("not a folder")
    seen = []
    with pytest.raises(ModelError, match="file"):
        train_adapter(tiny, space, pairs, tmp_path / "file", settings=QUICK, progress=seen.append)
    assert seen == []  # it was found before any training was lost


@pytest.mark.parametrize(
    "wrong", [{"epochs": 0}, {"batch": 0}, {"learning_rate": 0.0}, {"warmup": 1.0}]
)
def test_impossible_settings_are_refused(wrong):
    with pytest.raises(UsageError, match=next(iter(wrong))):
        replace(QUICK, **wrong)


def test_a_trained_adapter_passes_its_own_check(tiny, space, pairs, folder):
    card = train_adapter(tiny, space, pairs[:8], folder, settings=replace(QUICK, epochs=1))
    assert check_adapter(folder, tiny, space.catalogue_hash) == card
