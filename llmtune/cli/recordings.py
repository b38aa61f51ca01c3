"""Recordings by name or folder: what `--recorded` asks for."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from datagen.matrix_files import MATRIX_FOLDER, read_matrix
from datagen.recording import recording_of
from llmtune.benchmark.recorded import RecordedEvaluator
from llmtune.benchmark.recording import SHIPPED, Recording, read_recording
from llmtune.errors import UsageError
from llmtune.knobs.space import KnobSpace
from llmtune.model.stage import type_of_queries
from llmtune.paths import is_file, is_folder
from llmtune.postgres.profile import Profile
from optimizers.rules import WorkloadType


@dataclass(frozen=True)
class RecordedBench:
    """A recording in the place of an opened target with a loaded workload."""

    recording: Recording
    evaluator: RecordedEvaluator

    @property
    def space(self) -> KnobSpace:
        """The knobs that were varied."""
        return self.evaluator.space

    @property
    def whole(self) -> KnobSpace:
        """No others can be changed."""
        return self.evaluator.space

    @property
    def busy(self) -> int:
        """Sessions that worked at once."""
        return self.profile.clients

    @property
    def workload_type(self) -> WorkloadType:
        """Recordings are of queries."""
        return type_of_queries(self.profile)

    @property
    def storage(self) -> None:
        """A recording does not tell what its server's data lay on."""

    @cached_property
    def profile(self) -> Profile:
        """Of the workload, under the default settings."""
        return Profile.from_json(self.recording.profile)

    def what_if_features(self) -> None:
        """There is no server that plans."""


def shipped() -> tuple[str, ...]:
    """Names of the recordings that come with LLMTune."""
    return tuple(sorted(path.stem for path in SHIPPED.glob("*.parquet")))


def open_recording(name: str) -> Recording:
    """A shipped recording by its name, or the matrix in a data-generation folder.

    Raises:
        UsageError: neither.
        DatasetError: the files cannot be used.
    """
    if name in shipped():
        return read_recording(SHIPPED / f"{name}.parquet")
    folder = Path(name)
    if is_file(folder):
        return read_recording(folder)
    if not is_folder(folder):
        raise UsageError(
            f"--recorded {name!r} is neither one of the recordings that come with LLMTune "
            f"({', '.join(shipped())}) nor a folder of `llmtune datagen`"
        )
    matrix = folder / MATRIX_FOLDER
    return recording_of(read_matrix(matrix if is_folder(matrix) else folder))
