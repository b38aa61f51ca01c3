"""What pairs from several folders must have in common."""

import pytest

from datagen.pair_files import check_apart, held_out_templates, read_sides, space_of
from datagen.pairs import HELD_OUT_FILE, TRAIN_FILE, Pair, write_pairs
from llmtune.errors import DatasetError
from llmtune.knobs.catalogue import load_catalogue


def pair(version: int = 18, completion: str = "work_mem: A\n", **facts: object) -> Pair:
    server = {"server_version": version, "cores": 2, "memory": 1 << 30}
    return Pair("p", completion, {**server, "catalogue_hash": load_catalogue().hash, **facts})


@pytest.fixture
def write(tmp_path):
    """Write a data-generation folder with these templates on its sides."""

    def folder(name: str, train: list[str], held_out: list[str], schema: str = "tpch"):
        path = tmp_path / name
        path.mkdir()
        sides = ((TRAIN_FILE, "train", train), (HELD_OUT_FILE, "held_out", held_out))
        for file, side, templates in sides:
            write_pairs(path / file, [pair(split=side, schema=schema, templates=templates)])
        return path

    return folder


def test_sides_that_share_a_template_across_folders_are_refused(write) -> None:
    one, two = write("one", ["q1", "q2"], ["q3", "q4"]), write("two", ["q1", "q3"], ["q2", "q4"])
    check_apart(*read_sides([one]))
    sides = read_sides([one, two])
    assert [len(side) for side in sides] == [2, 2]
    with pytest.raises(DatasetError, match="train on: q2 of tpch, q3 of tpch"):
        check_apart(*sides)


def test_what_a_folder_holds_out_is_read_from_its_pairs(write, tmp_path) -> None:
    folder = write("one", ["q1", "q2"], ["q3", "q4"])
    assert held_out_templates(folder) == {"q3", "q4"}
    assert held_out_templates(tmp_path) == set()
    (folder / HELD_OUT_FILE).write_text("")
    assert held_out_templates(folder) == set()


def test_templates_of_different_schemas_are_different(write) -> None:
    folders = write("one", ["q1"], ["q2"]), write("two", ["q2"], ["q1"], schema="job")
    check_apart(*read_sides(folders))


def test_the_space_of_several_versions_is_the_newest_ones(write) -> None:
    older, newer = pair(17), pair(18, "work_mem: A\nio_method: default\n")
    for pairs in ([older, newer], [newer, older]):
        space = space_of(pairs)
        assert (space.version, space.names) == (18, ("work_mem", "io_method"))


def test_a_pair_that_does_not_tell_its_server_is_refused() -> None:
    facts = {"catalogue_hash": load_catalogue().hash}
    with pytest.raises(DatasetError, match="server_version"):
        space_of([pair(), Pair("p", "work_mem: A\n", facts)])
