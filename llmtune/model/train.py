"""Training an adapter: what is asked for, what is reported, and the whole run."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from datagen.pairs import Pair, dataset_hash, templates_of
from llmtune.errors import UsageError
from llmtune.knobs.space import KnobSpace
from llmtune.model.adapter import Card, no_files, save_adapter
from llmtune.model.checkpoint import BaseModel, best_device, load_base_model
from llmtune.model.evaluate import Scores, compare_with_base, encode_pairs
from llmtune.model.quiet import quiet
from llmtune.model.tokens import load_codec

if TYPE_CHECKING:
    from peft import PeftModel


@dataclass(frozen=True, slots=True)
class TrainSettings:
    """The hyper-parameters; they go into the adapter's card.

    Attributes:
        rank, alpha: of the LoRA layers, which are put on all linear layers.
        epochs: passes over the pairs.
        batch: pairs for each step of the optimizer.
        micro_batch: pairs that are computed at once; memory grows with it, the
            result does not depend on it.
        learning_rate: the highest, after the warm-up and before the cosine.
        warmup: share of the steps with a rising learning rate.
        clip: largest norm of the gradient.
        save_every: steps between checkpoints.
    """

    rank: int = 16
    alpha: int = 32
    epochs: int = 3
    batch: int = 16
    micro_batch: int = 4
    learning_rate: float = 5e-4
    warmup: float = 0.1
    weight_decay: float = 0.01
    clip: float = 1.0
    seed: int = 0
    save_every: int = 10

    def __post_init__(self) -> None:
        for name in ("rank", "alpha", "epochs", "batch", "micro_batch", "save_every"):
            if getattr(self, name) < 1:
                raise UsageError(f"{name} must be at least 1, not {getattr(self, name)}")
        if not self.learning_rate > 0:
            raise UsageError(f"learning_rate must be above 0, not {self.learning_rate}")
        if not 0 <= self.warmup < 1:
            raise UsageError(f"warmup must be a share from 0 to below 1, not {self.warmup}")


@dataclass(frozen=True, slots=True)
class TrainProgress:
    """Where a training run is, after each step.

    Attributes:
        step, steps: done and in all.
        loss: mean negative log-likelihood of a label in this step, nats.
        tokens_per_second: over this call's steps, prompts included.
        held_out: the held-out scores, after the last step of each epoch.
    """

    step: int
    steps: int
    loss: float
    tokens_per_second: float
    held_out: Scores | None = None


def train_adapter(  # noqa: PLR0913  each is another thing that a run is made of
    base: BaseModel,
    space: KnobSpace,
    pairs: Sequence[Pair],
    folder: Path,
    *,
    held_out: Sequence[Pair] = (),
    settings: TrainSettings | None = None,
    progress: Callable[[TrainProgress], None] | None = None,
    beside: Callable[[Path], None] = no_files,
) -> Card:
    """Train an adapter on pairs and write it to `folder` with its card.

    The adapter is that of the last step: held-out pairs are scored and choose
    nothing, so their score is an honest one. A call that was stopped goes on from
    its last checkpoint in `folder` when it is made again with the same arguments. An
    earlier adapter in `folder` stays whole until the new one is there.

    Args:
        space: gives the legal labels; any hardware's of the pairs' newest server version.
        beside: writes the adapter's other files, see `save_adapter`.

    Raises:
        DatasetError: the pairs do not fit the knob space, or there are none.
        ModelError: the base model, the checkpoint or the folder cannot be used.
    """
    from llmtune.model.loop import Run, fit

    settings = settings or TrainSettings()
    codec = load_codec(base, space)
    train, held = encode_pairs(codec, pairs), encode_pairs(codec, held_out)
    model = add_adapter(load_base_model(base, best_device()), settings)
    data = dataset_hash(pairs)
    facts = {
        "catalogue_hash": space.catalogue_hash,
        "knobs": space.names,
        "dataset_hash": data,
        "hyper_parameters": asdict(settings),
    }
    run = Run(
        settings=settings,
        checkpoint=folder / "checkpoint.pt",
        fingerprint=_fingerprint([base.sha256, facts, dataset_hash(held_out)]),
    )
    fit(model, codec, train, held, run, progress)
    scores = compare_with_base(model.eval(), codec, held).to_json() if held else {}
    templates = {schema: sorted(names) for schema, names in templates_of(pairs).items()}
    told = {**facts, "templates": templates, "scores": scores}
    card = save_adapter(model, folder, base, told, beside)
    run.checkpoint.unlink(missing_ok=True)
    return card


def add_adapter(model: Any, settings: TrainSettings) -> PeftModel:
    """Freeze a base model and put fresh LoRA layers on all its linear layers.

    The layers are in the model's own number type; the loop keeps float32 copies.
    """
    import torch
    from peft import LoraConfig, get_peft_model

    torch.manual_seed(settings.seed)
    config = LoraConfig(
        task_type="CAUSAL_LM",
        r=settings.rank,
        lora_alpha=settings.alpha,
        target_modules="all-linear",
    )
    with quiet():
        return get_peft_model(model, config, autocast_adapter_dtype=False)


def _fingerprint(facts: Any) -> str:
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()
