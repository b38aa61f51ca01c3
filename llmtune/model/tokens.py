"""Prompts and completions as tokens, cut at the same places in training and use.

A sequence is `prompt | name | label | name | label ...`, with one token for each
label and, where the tokenizer allows, one for each name: the first word of it
that no knob before it took, such as ` work` for `work_mem`. The order is forced
anyway, and to spell `autovacuum_vacuum_scale_factor` with its colon and line
break before each choice would cost four times the tokens, most of the time of
training and of decoding. Pair files hold the whole names.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from llmtune.errors import DatasetError, ModelError
from llmtune.knobs.catalogue import load_catalogue
from llmtune.knobs.levels import LevelCodec
from llmtune.knobs.space import KnobSpace
from llmtune.model.checkpoint import BaseModel

if TYPE_CHECKING:
    from tokenizers import Tokenizer


@dataclass(frozen=True, slots=True)
class KnobTokens:
    """The tokens of one knob's line.

    Attributes:
        prefix: the tokens that stand for the name, which are forced.
        columns: the legal labels, as indices into `TokenCodec.labels`.
    """

    name: str
    prefix: tuple[int, ...]
    columns: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class TokenSequence:
    """One pair as tokens, and where in it the labels are.

    Attributes:
        ids: all tokens, prompt and completion.
        positions: for each label, the index in `ids` of the token before it,
            whose hidden state predicts it.
        knobs: for each label, the index of its knob in `TokenCodec.knobs`.
        targets: for each label, its index in `TokenCodec.labels`.
    """

    ids: tuple[int, ...]
    positions: tuple[int, ...]
    knobs: tuple[int, ...]
    targets: tuple[int, ...]


class TokenCodec:
    """Turns prompts and completions over a set of knobs into tokens.

    Args:
        tokenizer: the base model's.
        labels: each knob's legal labels, knobs in catalogue order.
        names: all names of the catalogue, so that a knob's tokens are the same
            whichever knobs there are beside it; None means those of `labels`.

    Attributes:
        knobs: in the order of `labels`.
        labels: every label that any knob has.
        label_ids: the one token of each of `labels`, in the same order.

    Raises:
        ModelError: the tokenizer has no single token for a label.
    """

    def __init__(
        self,
        tokenizer: Tokenizer,
        labels: Mapping[str, Iterable[str]],
        names: Iterable[str] | None = None,
    ) -> None:
        self._tokenizer = tokenizer
        legal = {name: tuple(labels[name]) for name in labels}
        self.labels = tuple(dict.fromkeys(label for each in legal.values() for label in each))
        self.label_ids = tuple(self._label_id(label) for label in self.labels)
        self._column = {label: column for column, label in enumerate(self.labels)}
        prefixes = self._prefixes(legal if names is None else names)
        self.knobs = tuple(
            KnobTokens(name, prefixes[name], tuple(self._column[label] for label in legal[name]))
            for name in legal
        )
        self._index = {knob.name: index for index, knob in enumerate(self.knobs)}

    def prompt(self, text: str) -> tuple[int, ...]:
        """The tokens of a prompt."""
        return self._encode(text)

    def sequence(self, prompt: str, completion: str) -> TokenSequence:
        """The tokens of a pair.

        Raises:
            DatasetError: the completion has no line, a line names no knob or no legal label,
                or the knobs are not in catalogue order, each once.
        """
        ids, positions = list(self.prompt(prompt)), []
        chosen = self._chosen(completion)
        for index, column in chosen:
            ids += self.knobs[index].prefix
            positions.append(len(ids) - 1)
            ids.append(self.label_ids[column])
        return TokenSequence(
            ids=tuple(ids[:-1]),  # what follows the last label is never predicted
            positions=tuple(positions),
            knobs=tuple(index for index, _ in chosen),
            targets=tuple(column for _, column in chosen),
        )

    def step(self, column: int, following: int) -> tuple[int, ...]:
        """The tokens from a chosen label up to the next choice, which is `following`'s."""
        return (self.label_ids[column], *self.knobs[following].prefix)

    def _chosen(self, completion: str) -> list[tuple[int, int]]:
        """The indices of knob and label in each line, in the only order that decoding has."""
        chosen = [self._parse(line) for line in completion.splitlines()]
        if not chosen:
            raise DatasetError("the completion names no knob; leave this pair out")
        for (before, _), (index, _) in pairwise(chosen):
            if index <= before:
                names = self.knobs[index].name, self.knobs[before].name
                raise DatasetError(
                    f"the completion names {names[0]} after {names[1]}, not each knob once and in "
                    "catalogue order; write the pair again with `llmtune datagen`"
                )
        return chosen

    def _parse(self, line: str) -> tuple[int, int]:
        name, _, label = line.partition(": ")
        if name not in self._index:
            raise DatasetError(f"the completion line {line!r} names no knob of this catalogue")
        index, column = self._index[name], self._column.get(label)
        if column not in self.knobs[index].columns:
            legal = ", ".join(self.labels[one] for one in self.knobs[index].columns)
            raise DatasetError(f"the completion line {line!r} has no legal label; legal: {legal}")
        return index, column

    def _encode(self, text: str) -> tuple[int, ...]:
        return tuple(self._tokenizer.encode(text, add_special_tokens=False).ids)

    def _prefixes(self, names: Iterable[str]) -> dict[str, tuple[int, ...]]:
        prefixes: dict[str, tuple[int, ...]] = {}
        for name in names:
            words = (self._encode(f" {word}") for word in name.split("_"))
            free = (ids for ids in words if len(ids) == 1 and ids not in prefixes.values())
            prefixes[name] = next(free, self._encode(f" {name}"))
        return prefixes

    def _label_id(self, label: str) -> int:
        ids = self._encode(f" {label}")
        if len(ids) != 1:
            raise ModelError(
                f"the base model's tokenizer needs {len(ids)} tokens for the label {label!r}, which"
                " must be one; use a base model that has it as one token, such as the default"
            )
        return ids[0]


def load_codec(base: BaseModel, space: KnobSpace) -> TokenCodec:
    """The codec of a base model's tokenizer for the knobs of one space."""
    names = [knob.name for knob in load_catalogue().knobs]
    return TokenCodec(load_tokenizer(base), legal_labels(space), names)


def legal_labels(space: KnobSpace) -> dict[str, tuple[str, ...]]:
    """Each knob's legal labels in catalogue order; the same for any hardware."""
    codec = LevelCodec(space)
    return {name: codec.labels(name) for name in space.names}


def load_tokenizer(base: BaseModel) -> Tokenizer:
    """The tokenizer of a base model.

    Raises:
        ModelError: `tokenizer.json` is missing or damaged.
    """
    from tokenizers import Tokenizer

    path = base.path / "tokenizer.json"
    try:
        return Tokenizer.from_str(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ModelError(f"cannot read the tokenizer {path}: {error}; {base.mend}") from error
    except Exception as error:
        raise ModelError(f"the tokenizer {path} is damaged ({error}); {base.mend}") from error
