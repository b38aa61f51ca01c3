import pytest
from tokenizers import Tokenizer, models, pre_tokenizers

from llmtune.errors import DatasetError, ModelError
from llmtune.knobs.catalogue import load_catalogue
from llmtune.knobs.hardware import Hardware
from llmtune.knobs.space import resolve_space
from llmtune.model.tokens import TokenCodec, legal_labels, load_tokenizer


def test_labels_are_predicted_right_after_their_knobs_name(codec, tiny, pairs):
    tokenizer = load_tokenizer(tiny.path)
    sequence = codec.sequence(pairs[0].prompt, pairs[0].completion)
    lines = pairs[0].completion.splitlines()
    for line, position, target in zip(lines, sequence.positions, sequence.targets, strict=True):
        so_far = tokenizer.decode(list(sequence.ids[: position + 1]))
        name, label = line.split(": ")
        assert so_far.endswith(f"{name}:")
        assert codec.labels[target] == label


def test_a_sequence_is_its_text_up_to_the_last_label(codec, tiny, pairs):
    tokenizer = load_tokenizer(tiny.path)
    for pair in pairs[:8]:
        text = tokenizer.decode(list(codec.sequence(pair.prompt, pair.completion).ids))
        assert text == (pair.prompt + pair.completion).rsplit(" ", 1)[0]


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
    ],
)
def test_a_completion_outside_the_catalogue_is_refused(codec, completion, named):
    with pytest.raises(DatasetError, match=named):
        codec.sequence("prompt\n", completion)


def test_a_tokenizer_that_splits_a_label_is_refused():
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    bytes_only = Tokenizer(models.BPE({letter: i for i, letter in enumerate(alphabet)}, []))
    bytes_only.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    with pytest.raises(ModelError, match="2 tokens for ' A'"):
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
        load_tokenizer(tmp_path)


def test_a_missing_tokenizer_is_named(tmp_path):
    with pytest.raises(ModelError, match=r"tokenizer\.json"):
        load_tokenizer(tmp_path)
