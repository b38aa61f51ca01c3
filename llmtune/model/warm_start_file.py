"""Warm starts from a JSON file: one configuration, or a list of them."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from llmtune.errors import UsageError
from llmtune.knobs.configuration import Configuration, Value
from llmtune.knobs.space import KnobSpace

EXAMPLE = '{"work_mem": "64MB"}'


@dataclass(frozen=True, slots=True)
class WarmStartFile:
    """A file that was read, not yet checked against any knob space.

    Attributes:
        text: of the file, to find the lines in that errors are about.
        values: for each configuration, knob to value as people write it.
    """

    path: str
    text: str
    values: tuple[Mapping[str, object], ...]

    @property
    def sha256(self) -> str:
        """Of what it says, however it is laid out; of a single configuration as of old."""
        content = list(self.values) if len(self.values) > 1 else self.values[0]
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()

    def configurations(self, space: KnobSpace, whole: KnobSpace) -> tuple[Configuration, ...]:
        """The file's configurations; knobs that one leaves out keep their baseline.

        Args:
            whole: all knobs that the target can change; `space` is the part of them
                that the workload responds to.

        Raises:
            UsageError: an unknown knob or an illegal value; the message has its line.
        """
        return tuple(
            space.configuration(
                {name: self._value(at, name, value, space, whole) for name, value in one.items()}
            )
            for at, one in enumerate(self.values)
        )

    def _value(
        self, at: int, name: str, value: object, space: KnobSpace, whole: KnobSpace
    ) -> Value:
        try:
            return _parsed(name, value, space, whole)
        except UsageError as error:
            raise UsageError(f"{self.path}, line {self._line(at, name)}: {error}") from error

    def _line(self, at: int, name: str) -> int:
        """Where the configuration numbered `at` names the knob."""
        before = sum(name in one for one in self.values[:at])
        key = re.escape(json.dumps(name))
        found = list(re.finditer(rf"{key}\s*:", self.text))
        return self.text.count("\n", 0, found[before].start() if found[before:] else 0) + 1


def read_file(path: Path) -> WarmStartFile:
    """Read a file of configurations.

    Raises:
        OSError: there is no such file.
        UsageError: it is not JSON, neither an object nor a list of objects, or one is empty.
    """
    text = path.read_text(encoding="utf-8")
    try:
        content = json.loads(text, object_pairs_hook=_without_repeats)
    except ValueError as error:
        raise UsageError(f"{path}: not JSON ({error}); write it like {EXAMPLE}") from error
    found = content if isinstance(content, list) else [content]
    if not found or not all(isinstance(one, dict) for one in found):
        raise UsageError(
            f"{path}: not an object of knob to value, such as {EXAMPLE}, nor a list of such objects"
        )
    if not all(found):
        raise UsageError(
            f"{path}: a configuration without a knob is the default, which is tried anyway; name "
            f"the knobs to change, such as {EXAMPLE}"
        )
    return WarmStartFile(str(path), text, tuple(found))


def _without_repeats(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"{twice!r} stands twice in one object")
    return values


def _parsed(name: str, value: object, space: KnobSpace, whole: KnobSpace) -> Value:
    if name not in space and name in space.server_defaults:
        why = "does nothing for this workload" if name in whole else "is not ours to change"
        raise UsageError(f"knob {name} {why} on this server; leave it out")
    if isinstance(value, bool):
        value = "on" if value else "off"
    return space.parse(name, str(value))
