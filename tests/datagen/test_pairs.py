import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datagen.pairs import Pair, dataset_hash, read_pairs, write_pairs
from llmtune.errors import DatasetError

TEXT = st.text(st.characters(exclude_categories=["Cs"]))
PAIRS = st.lists(
    st.builds(
        lambda text, label, split, facts: Pair(text, label, {**facts, "split": split}),
        TEXT,
        TEXT,
        st.sampled_from(["train", "held_out"]),
        st.dictionaries(st.sampled_from("abc"), st.integers() | TEXT),
    ),
    min_size=1,
    max_size=5,
)


@given(PAIRS)
def test_pairs_come_back_as_they_were_written(tmp_path_factory, pairs):
    path = tmp_path_factory.mktemp("pairs") / "pairs.jsonl"
    write_pairs(path, pairs)
    read = read_pairs(path)
    assert [(one.prompt, one.completion) for one in read] == [
        (one.prompt, one.completion) for one in pairs
    ]
    assert all(
        one.metadata.items() <= back.metadata.items() for one, back in zip(pairs, read, strict=True)
    )
    assert dataset_hash(read) == dataset_hash(pairs)


def test_the_hash_tells_pairs_orders_and_borders_apart():
    one, two = Pair("a", "b"), Pair("c", "d")
    hashes = {
        dataset_hash(each)
        for each in ([one], [two], [one, two], [two, one], [Pair("ab", "")], [Pair("", "ab")])
    }
    assert len(hashes) == 6


def test_every_line_carries_schema_and_code_version(tmp_path):
    write_pairs(tmp_path / "pairs.jsonl", [Pair("p", "c", {"seed": 3})])
    row = json.loads((tmp_path / "pairs.jsonl").read_text())
    assert row["metadata"]["schema_version"] == 1
    assert row["metadata"]["seed"] == 3
    assert row["metadata"]["code_version"]


GOOD = '{"prompt": "p", "completion": "c", "metadata": {"schema_version": 1, "split": "train"}}\n'


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        ('{"prompt": "p", "compl', "not JSON"),
        ('["p", "c"]', "not an object"),
        ('{"prompt": "p", "metadata": {"schema_version": 1}}', "'completion'"),
        ('{"prompt": 1, "completion": "c", "metadata": {}}', "'prompt'"),
        (
            '{"prompt": "p", "completion": "c", "metadata": {"schema_version": 99}}',
            "schema version 99",
        ),
        ('{"prompt": "p", "completion": "c", "metadata": {}}', "schema version None"),
        (
            '{"prompt": "p", "completion": "c", "metadata": {"schema_version": 1}}',
            "the split of its metadata is None",
        ),
        (GOOD.strip().replace("train", "heldout"), "'heldout', not 'train' or 'held_out'"),
    ],
)
def test_a_bad_line_is_named_by_its_number(tmp_path, bad, said):
    path = tmp_path / "pairs.jsonl"
    path.write_text(GOOD * 2 + bad + "\n" + GOOD)
    with pytest.raises(DatasetError, match="line 3") as caught:
        read_pairs(path)
    assert said in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"\n\n", b"\xff\xfe\x00"])
def test_a_file_without_pairs_is_refused(tmp_path, content):
    path = tmp_path / "pairs.jsonl"
    path.write_bytes(content)
    with pytest.raises(DatasetError, match=r"pairs\.jsonl"):
        read_pairs(path)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(DatasetError, match=r"gone\.jsonl"):
        read_pairs(tmp_path / "gone.jsonl")


def test_a_failed_write_leaves_the_old_file(tmp_path):
    path = tmp_path / "pairs.jsonl"
    write_pairs(path, [Pair("old", "c", {"split": "train"})])

    def broken():
        yield Pair("new", "c")
        raise DatasetError("the measurements ran out")

    with pytest.raises(DatasetError, match="ran out"):
        write_pairs(path, broken())
    assert [one.prompt for one in read_pairs(path)] == ["old"]
    assert [one.name for one in tmp_path.iterdir()] == ["pairs.jsonl"]


def test_a_folder_that_is_not_there_is_named(tmp_path):
    with pytest.raises(DatasetError, match=r"gone/pairs\.jsonl"):
        write_pairs(tmp_path / "gone" / "pairs.jsonl", [Pair("p", "c")])
