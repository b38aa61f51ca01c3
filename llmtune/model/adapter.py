"""An adapter: a PEFT folder and the card that says what it was trained for."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from llmtune import __version__
from llmtune.errors import AdapterMismatch, ModelError
from llmtune.model.checkpoint import BaseModel
from llmtune.model.quiet import quiet

SCHEMA = 1
CARD = "card.json"
WEIGHTS = "adapter_model.safetensors"
CONFIG = "adapter_config.json"
DEFAULT_ADAPTER = Path(__file__).with_suffix("")
"""The adapter that is shipped with the package."""


@dataclass(frozen=True, slots=True)
class Card:
    """What an adapter was trained for, on and with.

    Attributes:
        base_model, base_sha256: of the base model, as `BaseModel` has them.
        catalogue_hash: of the knob catalogue whose levels the labels name.
        knobs: those that the pairs' completions name; it has learnt no others.
        dataset_hash: of the training pairs, as `dataset_hash` gives it.
        weights_sha256: of the weights file, so that any damage is found.
        hyper_parameters: the training settings.
        templates: of the training pairs' queries, by schema; what is scored shares none
            of them. Older cards lack it.
        scores: of the held-out pairs, by model (`tuned`, `base`) and measure.
    """

    base_model: str
    base_sha256: str
    catalogue_hash: str
    knobs: tuple[str, ...]
    dataset_hash: str
    weights_sha256: str
    hyper_parameters: Mapping[str, Any]
    templates: Mapping[str, Sequence[str]] = field(default_factory=dict)
    scores: Mapping[str, Any] = field(default_factory=dict)
    schema: int = SCHEMA
    code_version: str = __version__


def no_files(_folder: Path) -> None:
    """What writes nothing beside an adapter."""


def save_adapter(
    model: Any,
    folder: Path,
    base: BaseModel,
    facts: Mapping[str, Any],
    beside: Callable[[Path], None] = no_files,
) -> Card:
    """Write the adapter of a PEFT model and its card to `folder`.

    Args:
        facts: the card's `catalogue_hash`, `knobs`, `dataset_hash`,
            `hyper_parameters`, `templates` and `scores`.
        beside: writes the files that belong to this adapter, and to no earlier one.

    The earlier card goes first and the new one is written last, so a folder with a
    card is complete.

    Raises:
        ModelError: the folder cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / CARD).unlink(missing_ok=True)
        _save_weights(model, folder)
        _rename_base(folder / CONFIG, base.name)
        beside(folder)
        weights = _sha256(folder / WEIGHTS)
        card = Card(base.name, base.sha256, weights_sha256=weights, **facts)
        (folder / CARD).write_text(json.dumps(asdict(card), indent=2) + "\n", encoding="utf-8")
    except OSError as error:
        raise ModelError(f"cannot write the adapter to {folder}: {error}") from error
    return card


def _save_weights(model: Any, folder: Path) -> None:
    """Weights and configuration alone: peft would also write over a README.md."""
    with TemporaryDirectory(prefix=".adapter.", dir=folder) as made:
        # The embeddings are the base model's; asked to decide, peft would go to the network.
        model.save_pretrained(made, save_embedding_layers=False)
        for name in (CONFIG, WEIGHTS):
            (Path(made) / name).replace(folder / name)


def read_card(folder: Path) -> Card:
    """Read an adapter's card.

    Raises:
        ModelError: there is none, it is damaged, or of another schema.
    """
    path = folder / CARD
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        schema = values["schema"]
        if schema == SCHEMA:  # the fields of another are not known
            return Card(**{**values, "knobs": tuple(values["knobs"])})
    except OSError as error:
        raise ModelError(
            f"there is no adapter in {folder}: {CARD} cannot be read; name the folder of one, or"
            " train one with `llmtune train`"
        ) from error
    except (ValueError, TypeError, KeyError) as error:
        raise ModelError(
            f"the adapter card {path} is damaged ({error}); train the adapter again"
            " or copy the folder afresh"
        ) from error
    raise ModelError(
        f"{path} has schema {schema!r}, but this LLMTune reads {SCHEMA}; use the LLMTune that"
        " wrote it, or train the adapter again"
    )


def check_adapter(folder: Path, base: BaseModel, catalogue_hash: str) -> Card:
    """Read the card and check that the adapter is whole and fits.

    Raises:
        AdapterMismatch: it was trained for another base model or knob catalogue.
        ModelError: a file is missing or damaged.
    """
    card = read_card(folder)
    if card.base_sha256 != base.sha256:
        raise AdapterMismatch(
            f"the adapter in {folder} was trained for the base model {card.base_model}"
            f" ({card.base_sha256[:12]}), not for {base.name} ({base.sha256[:12]});"
            " use that base model or train an adapter for this one"
        )
    check_catalogue(folder, catalogue_hash)
    if _sha256(folder / WEIGHTS) != card.weights_sha256:
        raise ModelError(
            f"the adapter weights {folder / WEIGHTS} are damaged: they are not those that the"
            " card names; copy the folder afresh or train the adapter again"
        )
    return card


def check_catalogue(folder: Path, catalogue_hash: str) -> None:
    """Check what all of an adapter's files depend on, those beside its weights too.

    Raises:
        AdapterMismatch: it was trained for another knob catalogue.
        ModelError: its card is missing or damaged.
    """
    card = read_card(folder)
    if card.catalogue_hash != catalogue_hash:
        raise AdapterMismatch(
            f"the adapter in {folder} was trained for another knob catalogue"
            f" ({card.catalogue_hash[:12]}, here {catalogue_hash[:12]}), so its labels mean other"
            " values; train it again with `llmtune train`"
        )


def load_adapter(model: Any, folder: Path) -> Any:
    """The PEFT model of `model` with the adapter of a checked folder.

    The adapter's layers are in the model's own number type.

    Raises:
        ModelError: a file is missing or damaged.
    """
    from peft import PeftModel
    from safetensors import SafetensorError

    try:
        with quiet():
            return PeftModel.from_pretrained(model, folder, autocast_adapter_dtype=False).eval()
    except (OSError, ValueError, TypeError, KeyError, RuntimeError, SafetensorError) as error:
        raise ModelError(
            f"the adapter in {folder} cannot be loaded ({error}); its {CONFIG} or {WEIGHTS} is"
            " damaged: copy the folder afresh or train the adapter again"
        ) from error


def _rename_base(path: Path, name: str) -> None:
    """Put the base model's name for its folder, which other machines do not have."""
    values = json.loads(path.read_text(encoding="utf-8"))
    text = json.dumps({**values, "base_model_name_or_path": name}, indent=2, sort_keys=True)
    path.write_text(text + "\n", encoding="utf-8")


def _sha256(path: Path) -> str:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise ModelError(f"the adapter file {path} cannot be read: {error.strerror}") from error
