"""What an adapter was trained on, small enough to travel with it: prompts and their labels.

It serves the controls that a model must beat: the label of the nearest training
workload, and the one label that is best on average over all of them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import log2
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from llmtune.errors import DatasetError
from llmtune.knobs.catalogue import load_catalogue
from llmtune.knobs.configuration import Configuration
from llmtune.knobs.hardware import Hardware
from llmtune.knobs.levels import DEFAULT_LABEL, LevelCodec
from llmtune.knobs.space import KnobSpace, resolve_space
from llmtune.model.prompt import PromptCodec
from llmtune.postgres.profile import Profile

if TYPE_CHECKING:
    from datagen.measurements import Measurements
    from datagen.pairs import Pair

SCHEMA_VERSION = 1
METADATA_KEY = b"llmtune"
TRAINING_SET_FILE = "training_set.parquet"
COLUMNS = ("prompt", "labels", "server_version", "cores", "memory")

_NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?:e[+-]\d+)?")


@dataclass(frozen=True, slots=True)
class Labelled:
    """One training workload.

    Attributes:
        prompt: what the model was shown of it.
        labels: of the knobs whose best value is not their default.
    """

    prompt: str
    labels: Mapping[str, str]
    server_version: int
    hardware: Hardware


class TrainingSet:
    """All training workloads of an adapter."""

    def __init__(self, examples: Sequence[Labelled]) -> None:
        self.examples = tuple(examples)

    def nearest(self, profile: Profile, space: KnobSpace) -> Configuration:
        """The label of the workload whose prompt says most nearly what this one's does.

        The distance is the mean over all numbers that either prompt names, each in units
        of its spread over the training set; a number that one prompt lacks counts as one.
        """
        asked = numbers(PromptCodec(space).prompt(profile))
        known = [numbers(one.prompt) for one in self.examples]
        spread = _spread(known)
        distances = [_distance(asked, one, spread) for one in known]
        return decoded(self.examples[int(np.argmin(distances))].labels, space)

    def constant(self, measurements: Measurements, space: KnobSpace) -> Configuration:
        """The label that is best on average over the training set's servers and queries.

        A surrogate of the adapter's measurements that sees hardware and knobs alone
        tells how each label would do on each server; the measured time of one
        configuration is too noisy to choose by.
        """
        labels = list({_key(one.labels): one.labels for one in self.examples}.values())
        servers = {(one.server_version, one.hardware) for one in self.examples}
        logs = [_predicted(measurements, labels, *server) for server in sorted(servers, key=repr)]
        return decoded(labels[int(np.argmin(np.mean(logs, axis=0)))], space)


def decoded(labels: Mapping[str, str], space: KnobSpace) -> Configuration:
    """The labels' values for the knobs that `space` has; all others stay as they are."""
    codec = LevelCodec(space)
    known = {name: label for name, label in labels.items() if name in space}
    return space.configuration({name: codec.value(name, label) for name, label in known.items()})


def numbers(prompt: str) -> dict[str, float]:
    """The numbers of a prompt, each under its line's first word and its place in the line.

    >>> numbers("sizes: log2 of bytes\\nscans: seq 25 idx 11")
    {'sizes:log#0': 2.0, 'scans:seq #0': 25.0, 'scans:idx #0': 11.0}
    """
    found: dict[str, float] = {}
    for place, line in enumerate(prompt.splitlines()):
        head, colon, rest = line.partition(":")
        # Lines without a name are the costliest queries, in the order of their cost.
        name, text = (head, rest) if colon else (f"line {place}", line)
        found.update(_line_numbers(name, text))
    return found


def _line_numbers(name: str, text: str) -> dict[str, float]:
    found: dict[str, float] = {}
    end = 0
    for match in _NUMBER.finditer(text):
        words = re.findall(r"[a-zA-Z_^]+ ?", text[end : match.start()])
        word = words[-1] if words else ""
        place = sum(key.startswith(f"{name}:{word}#") for key in found)
        found[f"{name}:{word}#{place}"] = float(match[0])
        end = match.end()
    return found


def write_training_set(path: Path, pairs: Iterable[Pair]) -> None:
    """Keep what the training pairs say, for `read_training_set`."""
    import pyarrow as pa

    from datagen.stored_table import write_table

    rows = [_row(pair) for pair in pairs]
    about = json.dumps({"schema_version": SCHEMA_VERSION}).encode()
    table = pa.Table.from_pylist(rows).replace_schema_metadata({METADATA_KEY: about})
    write_table(path, table)


def read_training_set(path: Path) -> TrainingSet:
    """Read what `write_training_set` wrote.

    Raises:
        DatasetError: the file is missing, damaged, or of another schema version.
    """
    import pyarrow as pa

    from datagen.stored_table import read_table

    try:
        table = read_table(path)
        version = json.loads((table.schema.metadata or {})[METADATA_KEY])["schema_version"]
        examples = [_example(row) for row in table.select(list(COLUMNS)).to_pylist()]
    except (OSError, pa.ArrowException, KeyError, TypeError, ValueError) as error:
        raise DatasetError(
            f"{path}: the adapter's training set cannot be read ({error}); train it again with "
            "`llmtune train`, which writes the file"
        ) from error
    if version != SCHEMA_VERSION or not examples:
        raise DatasetError(f"{path}: schema version {version}, {len(examples)} examples")
    return TrainingSet(examples)


def _row(pair: Pair) -> dict[str, Any]:
    lines = (line.partition(": ") for line in pair.completion.splitlines())
    labels = {name: label for name, _, label in lines if label != DEFAULT_LABEL}
    facts = {name: int(pair.metadata[name]) for name in ("server_version", "cores", "memory")}
    return {"prompt": pair.prompt, "labels": _key(labels), **facts}


def _example(row: Mapping[str, Any]) -> Labelled:
    labels = json.loads(row["labels"])
    if not isinstance(row["prompt"], str) or not isinstance(labels, dict):
        raise ValueError("a row is no prompt with its labels")
    hardware = Hardware(row["cores"], row["memory"])
    return Labelled(row["prompt"], labels, row["server_version"], hardware)


def _key(labels: Mapping[str, str]) -> str:
    return json.dumps(dict(labels))


def _spread(known: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Each number's standard deviation over the prompts that have it; 1 where it never varies."""
    names = {name for one in known for name in one}
    values = {name: [one[name] for one in known if name in one] for name in names}
    return {name: float(np.std(each)) or 1.0 for name, each in values.items()}


def _distance(
    one: Mapping[str, float], other: Mapping[str, float], spread: Mapping[str, float]
) -> float:
    names = one.keys() | other.keys()
    parts = [
        min(abs(one[name] - other[name]) / spread.get(name, 1.0), 1.0)
        if name in one and name in other
        else 1.0
        for name in names
    ]
    return sum(parts) / max(len(parts), 1)


def _predicted(
    measurements: Measurements,
    labels: Sequence[Mapping[str, str]],
    version: int,
    hardware: Hardware,
) -> list[float]:
    """The log of the predicted time over the default's on one server, for each label."""
    space = resolve_space(load_catalogue(), version, hardware)
    names = ("hardware.memory", "hardware.cores", *(f"knob.{name}" for name in space.names))
    surrogate, places = measurements.surrogate(names)
    rows = [
        [log2(hardware.memory), float(hardware.cores)]
        + [knob.position(configuration[knob.name]) for knob in space.knobs]
        for configuration in (decoded(one, space) for one in labels)
    ]
    return [float(one) for one in np.log(surrogate.predict(np.array(rows)[:, places]))]
