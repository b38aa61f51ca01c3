"""A configuration: one immutable, hashable assignment of values to knobs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TypeAlias

Value: TypeAlias = bool | int | float | str
"""One knob's value, as `pg_settings.setting` gives it: a number in the knob's
own unit (`shared_buffers` counts 8 kB blocks, `work_mem` kB), a bool, or a word."""


class Configuration(Mapping[str, Value]):
    """An immutable mapping from knob name to value, complete for one knob space.

    It is made by `KnobSpace.configuration`, which validates; equality and hash
    are by content, so configurations serve as dictionary keys and de-duplicate.
    """

    __slots__ = ("_hash", "_values")

    def __init__(self, values: Mapping[str, Value]) -> None:
        self._values: dict[str, Value] = dict(values)
        self._hash = hash(frozenset(self._values.items()))

    def __getitem__(self, name: str) -> Value:
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __hash__(self) -> int:
        return self._hash

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Configuration) and self._values == other._values

    def __repr__(self) -> str:
        return f"Configuration({self._values!r})"

    def changes(self, base: Mapping[str, Value]) -> dict[str, Value]:
        """The knobs whose value here differs from `base`, in this order."""
        return {name: value for name, value in self.items() if value != base.get(name)}
