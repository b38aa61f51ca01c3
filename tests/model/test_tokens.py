import pytest
from tokenizers import Tokenizer, models, pre_tokenizers

from llmtune.errors import DatasetError, ModelError
from llmtune.knobs.catalogue import load_catalogue
from llmtune.knobs.hardware import Hardware
from llmtune.knobs.space import resolve_space
from llmtune.model.checkpoint import BaseModel
from llmtune.model.tokens import TokenCodec, legal_labels, load_tokenizer


def test_labels_are_predicted_right_after_their_knobs_name(codec, pairs):
    sequence = codec.sequence(pairs[0].prompt, pairs[0].completion)
    lines = pairs[0].completion.splitlines()
    for line, position, knob, target in zip(
        lines, sequence.positions, sequence.knobs, sequence.targets, strict=True
    ):
        prefix = codec.knobs[knob].prefix
        assert sequence.ids[: position + 1][-len(prefix) :] == prefix
        assert line == f"{codec.knobs[knob].name}: {codec.labels[target]}"


def test_a_sequence_is_the_prompt_names_and_labels(codec, tiny, pairs):
    text = load_tokenizer(tiny).decode(list(codec.sequence("p\n", pairs[0].completion).ids))
    labels = [line.split(": ")[1] for line in pairs[0].completion.splitlines()]
    a, b, c, _ = labels
    names = f"shared_buffers {a} work {b} random_page_cost {c} max_parallel_workers_per_gather"
    assert text == f"p\n {names}"


def test_a_knobs_tokens_are_its_own_and_do_not_depend_on_its_neighbours(tiny):
    names = ("work_mem", "maintenance_work_mem", "autovacuum_work_mem", "work_mem_work")
    tokenizer = load_tokenizer(tiny)
    labels = dict.fromkeys(names, ("default", "A"))
    whole = TokenCodec(tokenizer, labels, names)
    texts = [tokenizer.decode(list(knob.prefix)) for knob in whole.knobs]
    assert texts == [" work", " mem", " autovacuum_work_mem", " work_mem_work"]
    alone = TokenCodec(tokenizer, {names[1]: labels[names[1]]}, names)
    assert alone.knobs == (whole.knobs[1],)


def test_training_sees_the_tokens_that_the_decoder_feeds(codec, pairs):
    sequence = codec.sequence(pairs[0].prompt, pairs[0].completion)
    fed = [*codec.prompt(pairs[0].prompt), *codec.knobs[0].prefix]
    for following, column in enumerate(sequence.targets[:-1], start=1):
        fed += codec.step(column, following)
    assert tuple(fed) == sequence.ids


@pytest.mark.parametrize(
    ("completion", "named"),
    [
        ("work_men: A\n", "work_men"),
        ("work_mem: Z\n", "legal label"),
        ("work_mem A\n", "work_mem A"),
        ("\n", "''"),
        ("", "names no knob; leave"),
        ("work_mem: A\nwork_mem: A\n", "work_mem after work_mem"),
        ("work_mem: A\nshared_buffers: A\n", "shared_buffers after work_mem"),
    ],
)
def test_a_completion_that_no_decoding_gives_is_refused(codec, completion, named):
    with pytest.raises(DatasetError, match=named):
        codec.sequence("prompt\n", completion)


def test_a_tokenizer_that_splits_a_label_is_refused():
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    bytes_only = Tokenizer(models.BPE({letter: i for i, letter in enumerate(alphabet)}, []))
    bytes_only.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    with pytest.raises(ModelError, match="2 tokens for the label 'A'"):
        TokenCodec(bytes_only, {"work_mem": ("A", "B")})


def test_legal_labels_do_not_depend_on_the_hardware():
    small, large = (
        resolve_space(load_catalogue(), 18, Hardware(cores, memory << 30))
        for cores, memory in ((1, 1), (64, 512))
    )
    assert legal_labels(small) == legal_labels(large)


@pytest.mark.parametrize("content", [b"", b"{", b'{"version": "1.0"}', b"\xff\xfe"])
def test_a_damaged_tokenizer_is_named(tmp_path, content):
    (tmp_path / "tokenizer.json").write_bytes(content)
    with pytest.raises(ModelError, match=r"tokenizer\.json"):
        load_tokenizer(BaseModel(tmp_path, "0", "damaged"))


def test_a_missing_tokenizer_is_named(tmp_path):
    with pytest.raises(ModelError, match=r"tokenizer\.json"):
        load_tokenizer(BaseModel(tmp_path, "0", "damaged"))
