"""The benchmark's schema is the known one, and real CSV files arrive as they are."""

import json
import re
import tarfile
import zipfile
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path

import pytest
import sqlglot
from sqlglot import exp

from llmtune.errors import LoadError, UsageError
from llmtune.postgres.load import ensure_loaded
from llmtune.postgres.target import Target
from workloads.job.data import IMDB_2013, Edition, imdb_data_set
from workloads.job.schema import CREATE_TABLE, INDEXES, ROW_COUNTS
from workloads.job.synthetic import GENERATOR_VERSION, SYNTHETIC_SCALE
from workloads.job.workload import job_workload
from workloads.options import WorkloadOptions
from workloads.workload import DataSet, ExistingDatabase

FACTS = json.loads((Path(__file__).parent / "golden" / "job_schema.json").read_text("utf-8"))
TYPES = {"integer": "INT", "text": "TEXT"}

ROWS = {
    "kind_type": "1,movie\n2,tv series\n",
    "title": (
        '1,"Say \\"A\\", \\\\ or B",,1,1999,,,,,,,"0f"\n'
        '2,"Two\nlines",I,2,,,,,,,,\n'
        '3,"",,1,2001,,,,,,,\n'
    ),
    "movie_info": '1,1,1,"Drama",\n',
}
COUNTS = {table: ROWS.get(table, "").count("\n") for table in CREATE_TABLE} | {"title": 3}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The 21 files, most of them empty."""
    folder = tmp_path / "imdb"
    folder.mkdir()
    for table in CREATE_TABLE:
        (folder / f"{table}.csv").write_text(ROWS.get(table, ""), "utf-8")
    return folder


@pytest.fixture
def edition(request: pytest.FixtureRequest) -> Edition:
    """The row counts of these files, under a name of the test's own."""
    return Edition(f"imdb-{request.node.name}", COUNTS)


def columns(create: str) -> list[list[str]]:
    """Columns as the facts state them: name, type, whether it may be null."""
    tree = sqlglot.parse_one(create, read="postgres")
    return [
        [
            column.name,
            column.args["kind"].sql(dialect="postgres"),
            "not null" if column.find(exp.NotNullColumnConstraint) else "null",
        ]
        for column in tree.find_all(exp.ColumnDef)
    ]


def test_the_schema_is_that_of_the_facts() -> None:
    assert {table: columns(create) for table, create in CREATE_TABLE.items()} == FACTS["tables"]
    assert ROW_COUNTS == FACTS["row_counts_imdb_2013"] == IMDB_2013.row_counts
    keys = [f"ALTER TABLE {table} ADD PRIMARY KEY (id)" for table in FACTS["tables"]]
    others = [f"CREATE INDEX ON {one['table']} ({one['column']})" for one in FACTS["fk_indexes"]]
    statements = [one for table in INDEXES.values() for one in table]
    assert sorted(statements) == sorted([*keys, *others])
    assert [table[0] for table in INDEXES.values()] == keys


def values(target: Target, database: str) -> list[tuple[object, ...]]:
    with target.connect(database) as connection:
        return connection.execute(
            "SELECT title, imdb_index, production_year, md5sum FROM title ORDER BY id"
        ).fetchall()


def as_folder(folder: Path) -> Path:
    return folder


def as_zip(folder: Path) -> Path:
    path = folder.with_suffix(".zip")
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in folder.iterdir():
            archive.write(file, f"imdb/{file.name}")
    return path


def as_tar(folder: Path) -> Path:
    path = folder.with_suffix(".tar")
    with tarfile.open(path, "w") as archive:
        archive.add(folder, "imdb")
    return path


def as_tgz(folder: Path) -> Path:
    path = folder.with_suffix(".tgz")
    with tarfile.open(path, "w:gz") as archive:
        for file in sorted(folder.iterdir(), reverse=True):
            archive.add(file, f"./{file.name}")
    return path


def as_txz(folder: Path) -> Path:
    path = folder.with_suffix(".tar.xz")
    with tarfile.open(path, "w:xz") as archive:
        for file in sorted(folder.iterdir()):
            archive.add(file, f"./{file.name}")
    return path


@pytest.mark.parametrize("pack", [as_folder, as_zip, as_tar, as_tgz, as_txz])
def test_real_files_arrive_as_they_are(
    embedded: Target, folder: Path, edition: Edition, pack: Callable[[Path], Path]
) -> None:
    database = ensure_loaded(embedded, imdb_data_set(pack(folder), edition))
    assert values(embedded, database) == [
        ('Say "A", \\ or B', None, 1999, "0f"),
        ("Two\nlines", "I", None, None),
        ("", None, 2001, None),
    ]
    with embedded.connect(database) as connection:
        indexes = connection.execute(
            "SELECT count(*) FROM pg_indexes WHERE schemaname = 'public'"
        ).fetchone()
    assert indexes == (21 + 23,)


def databases(target: Target) -> set[str]:
    with target.connect() as connection:
        found = connection.execute("SELECT datname FROM pg_database").fetchall()
    return {name for (name,) in found}


def refused(target: Target, data_set: DataSet) -> str:
    """The message of a load that must fail and leave nothing."""
    before = databases(target)
    with pytest.raises(LoadError) as caught:
        ensure_loaded(target, data_set)
    assert databases(target) == before
    return str(caught.value)


@pytest.mark.parametrize(
    ("broken", "place"),
    [
        ("1,movie\n2,tv,series\n", r"line 2: extra data after last expected column"),
        ("1,movie\n\n2\n", r"line 2(, column \w+)?: "),
        ("1,movie\nx,tv\n", r'line 2, column id: invalid input syntax .* "x"'),
        ("1,movie\n2,\n", r'line 2: null value in column "kind"'),
        ('1,"movie\n2,tv\n', r"line \d: unterminated CSV quoted field"),
        ("1,a kind of a very long name\n", r"line 1, column kind: value too long"),
    ],
    ids=["extra", "missing", "number", "null", "quote", "long"],
)
@pytest.mark.parametrize("pack", [as_folder, as_zip])
def test_a_broken_row_is_named_with_file_and_line(
    embedded: Target,
    folder: Path,
    edition: Edition,
    pack: Callable[[Path], Path],
    broken: str,
    place: str,
) -> None:
    (folder / "kind_type.csv").write_text(broken, "utf-8")
    path = pack(folder)
    between = "/" if path.is_dir() else ": "
    message = refused(embedded, imdb_data_set(path, edition))
    assert re.match(re.escape(f"{path}{between}kind_type.csv, ") + place, message), message


def test_bytes_that_are_no_text_are_named(embedded: Target, folder: Path, edition: Edition) -> None:
    (folder / "kind_type.csv").write_bytes(b"1,movie\n2,s\xe9rie\n")
    message = refused(embedded, imdb_data_set(folder, edition))
    assert "kind_type.csv, line 2: invalid byte sequence" in message


def test_another_version_is_refused_with_the_differing_tables(
    embedded: Target, folder: Path, edition: Edition
) -> None:
    counts: Mapping[str, int] = {**COUNTS, "title": 4, "keyword": 9}
    message = refused(embedded, imdb_data_set(folder, replace(edition, row_counts=counts)))
    assert "another version" in message
    assert "title has 3 rows, not 4" in message
    assert "keyword has 0 rows, not 9" in message
    assert "kind_type" not in message


@pytest.mark.parametrize("pack", [as_folder, as_zip, as_tar])
def test_missing_files_are_named_before_anything_starts(
    folder: Path, pack: Callable[[Path], Path]
) -> None:
    for table in ("title", "name"):
        (folder / f"{table}.csv").unlink()
    with pytest.raises(LoadError, match=r"21 files, .*imdb.* lacks name\.csv, title\.csv$"):
        imdb_data_set(pack(folder))


def test_a_compressed_tar_that_lacks_files_is_refused_before_its_first_row(
    embedded: Target, folder: Path, edition: Edition
) -> None:
    (folder / "title.csv").unlink()
    assert "imdb.tgz lacks title.csv" in refused(embedded, imdb_data_set(as_tgz(folder), edition))


def cut_off(whole: bytes) -> bytes:
    return whole[: len(whole) * 3 // 4]


def with_another_checksum(whole: bytes) -> bytes:
    return whole[:-8] + bytes(4) + whole[-4:]


@pytest.mark.parametrize("damage", [cut_off, with_another_checksum])
@pytest.mark.parametrize("pack", [as_tgz, as_txz])
def test_a_damaged_archive_is_named(
    embedded: Target,
    folder: Path,
    edition: Edition,
    pack: Callable[[Path], Path],
    damage: Callable[[bytes], bytes],
) -> None:
    path = pack(folder)
    path.write_bytes(damage(path.read_bytes()))
    message = refused(embedded, imdb_data_set(path, edition))
    assert f"{path} cannot be read" in message
    assert "damaged" in message


def with_members(path: Path, at: int, value: int) -> None:
    """Another 16-bit number in the directory entry of every file in a zip archive."""
    whole = bytearray(path.read_bytes())
    for entry in re.finditer(rb"PK\x01\x02", bytes(whole)):
        whole[entry.start() + at : entry.start() + at + 2] = value.to_bytes(2, "little")
    path.write_bytes(whole)


def test_an_encrypted_archive_is_refused_before_anything_starts(folder: Path) -> None:
    path = as_zip(folder)
    with_members(path, 8, 1)
    with pytest.raises(LoadError, match=r"imdb\.zip is encrypted; unpack it"):
        imdb_data_set(path)


def test_a_compression_that_we_lack_is_named(
    embedded: Target, folder: Path, edition: Edition
) -> None:
    path = as_zip(folder)
    with_members(path, 10, 9)  # Deflate64, of large archives made by Windows
    message = refused(embedded, imdb_data_set(path, edition))
    assert re.search(r"zip: \w+\.csv cannot be read: .*compression.*; unpack it", message)


@pytest.mark.parametrize("name", ["", "imdb.tgz"])
def test_what_is_another_account_s_is_no_damage(
    private: Path, unprivileged: Callable[[], AbstractContextManager[None]], name: str
) -> None:
    with unprivileged(), pytest.raises(LoadError) as caught:
        imdb_data_set(private / name)
    assert str(caught.value) == f"{private / name} cannot be read: Permission denied"


def test_what_is_no_archive_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "imdb.csv"
    file.write_text("1,movie\n", "utf-8")
    with pytest.raises(LoadError, match="neither a folder nor a readable zip or tar archive"):
        imdb_data_set(file)
    with pytest.raises(UsageError, match=r"no folder or archive .*nowhere"):
        imdb_data_set(tmp_path / "nowhere")


def test_a_workload_over_real_files(folder: Path) -> None:
    published = job_workload(WorkloadOptions(data=folder))
    drawn = job_workload(WorkloadOptions(data=folder, seed=3))
    assert (published.name, drawn.name) == ("job-imdb-2013", "job-imdb-2013-seed3")
    assert isinstance(published.data_set, DataSet)
    assert isinstance(drawn.data_set, DataSet)
    assert published.data_set.schema == "imdb"
    assert 7e9 < published.data_set.disk_bytes < 1e10
    assert [table.row_count for table in drawn.data_set.tables] == list(ROW_COUNTS.values())


def test_a_database_that_has_the_data_is_left_as_it_is() -> None:
    workload = job_workload(WorkloadOptions(database="films"))
    assert workload.data_set == ExistingDatabase("imdb", "films", "imdb")


def test_only_one_source_of_data_can_be_chosen(folder: Path) -> None:
    with pytest.raises(UsageError, match="choose one of"):
        job_workload(WorkloadOptions(data=folder, scale=0.1))


def test_without_real_files_the_data_are_synthetic() -> None:
    half, whole = (job_workload(WorkloadOptions(scale=scale, seed=2)) for scale in (0.5, 1.0))
    assert half.name == "job-imdb-synthetic-v1-sf0.5-seed2"
    assert isinstance(half.data_set, DataSet)
    assert isinstance(whole.data_set, DataSet)
    assert [table.name for table in half.data_set.tables] == list(CREATE_TABLE)
    assert 1.9 < whole.data_set.disk_bytes / half.data_set.disk_bytes < 2.1
    default = job_workload(WorkloadOptions()).data_set.name
    assert default == f"imdb-synthetic-v{GENERATOR_VERSION}-sf{SYNTHETIC_SCALE}"


@pytest.mark.parametrize("scale", [0.0, -1.0, float("nan"), float("inf")])
def test_a_scale_that_is_not_positive_is_refused(scale: float) -> None:
    with pytest.raises(UsageError, match="scale factor"):
        job_workload(WorkloadOptions(scale=scale))
