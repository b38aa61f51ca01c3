"""The training loop, to be read from top to bottom.

Plain torch. The base model is frozen in bfloat16; the LoRA layers are computed
in bfloat16 too, which is what two cores are fast at, while the optimizer works
on float32 copies, so that small steps are not rounded away.

This module imports torch; the modules that users import load it lazily.
"""

from __future__ import annotations

import math
import os
import pickle
import random
import time
import zipfile
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from llmtune.errors import DatasetError, ModelError
from llmtune.model.evaluate import score
from llmtune.model.labels import collate, label_head, label_log_probabilities, transformer_body
from llmtune.model.tokens import TokenCodec, TokenSequence
from llmtune.model.train import TrainProgress, TrainSettings


@dataclass(frozen=True, slots=True)
class Run:
    """One training run: its settings, its checkpoint file and what makes it this run.

    Attributes:
        fingerprint: a checkpoint of another fingerprint is never continued.
    """

    settings: TrainSettings
    checkpoint: Path
    fingerprint: str


def fit(
    model: Any,
    codec: TokenCodec,
    train: Sequence[TokenSequence],
    held_out: Sequence[TokenSequence],
    run: Run,
    progress: Callable[[TrainProgress], None] | None = None,
) -> None:
    """Train the adapter of a PEFT model in place.

    Raises:
        DatasetError: there are no pairs.
        ModelError: the checkpoint cannot be read or written, or is another run's.
    """
    if not train:
        raise DatasetError("there are no pairs to train on")
    settings = run.settings
    epoch_steps = math.ceil(len(train) / settings.batch)
    steps = epoch_steps * settings.epochs
    head, body = label_head(model, codec), transformer_body(model)
    state = TrainState(model, settings)
    state.restore(run)
    state.save(run)  # a folder that cannot be written fails now, not after the training
    spent, tokens = 0.0, 0

    while state.step < steps:
        began = time.perf_counter()
        state.set_learning_rate(state.step, steps)
        chosen = _batch(train, state.step, epoch_steps, settings)
        labels = sum(len(one.targets) for one in chosen)
        model.train()
        loss = 0.0
        for start in range(0, len(chosen), settings.micro_batch):
            batch = collate(chosen[start : start + settings.micro_batch], str(model.device))
            scores = label_log_probabilities(body, head, batch)
            part = -scores.gather(1, batch.targets[:, None]).sum() / labels
            part.backward()  # type: ignore[no-untyped-call]
            loss += part.item()
            tokens += batch.tokens
        state.update()
        spent += time.perf_counter() - began

        held = None
        if held_out and state.step % epoch_steps == 0:
            held = score(model.eval(), codec, held_out)
        if state.step % settings.save_every == 0 or held or state.step == steps:
            state.save(run)
        if progress:
            progress(TrainProgress(state.step, steps, loss, tokens / spent, held))


def _batch(
    train: Sequence[TokenSequence], step: int, epoch_steps: int, settings: TrainSettings
) -> list[TokenSequence]:
    """The pairs of one step: each epoch shuffled by the seed, so a resumed run sees the same.

    Sorted by length, so that little of a micro-batch is padding.
    """
    epoch, part = divmod(step, epoch_steps)
    order = random.Random(f"{settings.seed}/{epoch}").sample(range(len(train)), len(train))  # noqa: S311
    chosen = [train[one] for one in order[part * settings.batch : (part + 1) * settings.batch]]
    return sorted(chosen, key=lambda one: len(one.ids))


class TrainState:
    """Everything that changes while training: float32 copies, optimizer, step."""

    def __init__(self, model: Any, settings: TrainSettings) -> None:
        self._settings = settings
        self._layers: list[Tensor] = [one for one in model.parameters() if one.requires_grad]
        self._copies = [one.detach().float().clone().requires_grad_() for one in self._layers]
        self._optimizer = torch.optim.AdamW(
            self._copies, lr=settings.learning_rate, weight_decay=settings.weight_decay
        )
        self.step = 0

    def set_learning_rate(self, step: int, steps: int) -> None:
        """A linear warm-up, then half a cosine down to a tenth."""
        warm = max(1, round(steps * self._settings.warmup))
        if step < warm:
            share = (step + 1) / warm
        else:
            share = 0.55 + 0.45 * math.cos(math.pi * (step - warm) / max(1, steps - warm))
        self._optimizer.param_groups[0]["lr"] = share * self._settings.learning_rate

    def update(self) -> None:
        """One step of the optimizer with the gradients that the layers hold."""
        for copy, layer in zip(self._copies, self._layers, strict=True):
            copy.grad = None if layer.grad is None else layer.grad.float()
            layer.grad = None
        torch.nn.utils.clip_grad_norm_(self._copies, self._settings.clip)
        self._optimizer.step()
        self.step += 1
        self._publish(self._copies)

    def save(self, run: Run) -> None:
        """Write the checkpoint, which is the new one or the old one, never half of either."""
        partial = run.checkpoint.with_suffix(f".{os.getpid()}.partial")
        values = {
            "fingerprint": run.fingerprint,
            "step": self.step,
            "copies": [one.detach() for one in self._copies],
            "optimizer": self._optimizer.state_dict(),
        }
        try:
            run.checkpoint.parent.mkdir(parents=True, exist_ok=True)
            torch.save(values, partial)
            partial.replace(run.checkpoint)
        except (OSError, RuntimeError) as error:
            raise ModelError(f"cannot write the checkpoint {run.checkpoint}: {error}") from error
        finally:
            with suppress(OSError):
                partial.unlink()

    def restore(self, run: Run) -> None:
        """Continue from the run's checkpoint, if there is one."""
        path = run.checkpoint
        if not path.exists():
            return
        try:
            values = torch.load(path, map_location=self._copies[0].device, weights_only=True)
        except (OSError, RuntimeError, EOFError, pickle.UnpicklingError, zipfile.BadZipFile) as bad:
            raise ModelError(f"the checkpoint {path} is damaged; delete it to start over") from bad
        if not isinstance(values, dict) or "fingerprint" not in values:
            raise ModelError(
                f"the file {path} is no checkpoint of `llmtune train`; move it away, or choose"
                " another folder"
            )
        if values["fingerprint"] != run.fingerprint:
            raise ModelError(
                f"the checkpoint {path} is of a run with other pairs or settings;"
                " delete it to start over, or choose another folder"
            )
        self._optimizer.load_state_dict(values["optimizer"])
        self.step = values["step"]
        with torch.no_grad():
            for copy, value in zip(self._copies, values["copies"], strict=True):
                copy.copy_(value)
        self._publish(self._copies)

    def _publish(self, values: Sequence[Tensor]) -> None:
        with torch.no_grad():
            for layer, value in zip(self._layers, values, strict=True):
                layer.copy_(value)
