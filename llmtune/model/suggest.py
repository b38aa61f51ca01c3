"""The suggester: a profile in, ranked configurations out, nothing run."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from llmtune.errors import AdapterMismatch, UsageError
from llmtune.knobs.catalogue import load_catalogue
from llmtune.knobs.configuration import Configuration
from llmtune.knobs.levels import DEFAULT_LABEL, LevelCodec
from llmtune.knobs.memory import repair
from llmtune.knobs.space import KnobSpace, resolve_space
from llmtune.model.adapter import DEFAULT_ADAPTER, Card, check_adapter
from llmtune.model.checkpoint import BaseModel, load_reader
from llmtune.model.prompt import PromptCodec
from llmtune.model.ranking import Ranker
from llmtune.model.ready import ReadyModel
from llmtune.model.stage import Stage
from llmtune.model.tokens import TokenCodec, load_codec
from llmtune.postgres.profile import Profile

if TYPE_CHECKING:
    from llmtune.model.decoder import Decoded, Decoder

TEMPERATURE = 1.0
"""Draws follow the model's own distribution, which is what it was trained to give."""


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A configuration that fits the server's memory.

    Attributes:
        log_likelihood: natural logarithm of the model's joint probability of the
            labels that it chose; 0 or below, larger is likelier.
    """

    configuration: Configuration
    log_likelihood: float


class Suggester:
    """Suggests configurations of one knob space with a loaded model."""

    def __init__(self, space: KnobSpace, codec: TokenCodec, decoder: Decoder) -> None:
        """Args: codec: of the knobs that are decoded. Those outside `space` are dropped, and
        the rest of `space` stays at its baseline.
        """
        self._space = space
        self._codec = codec
        self._decoder = decoder
        self._levels = LevelCodec(space)
        self._prompts = PromptCodec(space)

    def suggest(
        self, profile: Profile, candidates: int = 8, seed: int = 0
    ) -> tuple[Suggestion, ...]:
        """Suggest at most `candidates` different configurations.

        The first is the mode: the likeliest label at every knob. The others are
        drawn as the model says and stand in the order of their likelihood. Each is
        repaired to fit the server's memory.

        Raises:
            UsageError: `candidates` is not positive.
        """
        if candidates < 1:
            raise UsageError(f"candidates must be at least 1, not {candidates}")
        prompt = self._codec.prompt(self._prompts.prompt(profile))
        mode, *drawn = self._decoder.decode(prompt, candidates, TEMPERATURE, seed)
        ranked = [mode, *sorted(drawn, key=lambda one: -one.log_likelihood)]
        unique: dict[Configuration, Suggestion] = {}
        for decoded in ranked:
            suggestion = self._suggestion(decoded, profile.clients)
            unique.setdefault(suggestion.configuration, suggestion)
        return tuple(unique.values())

    def _suggestion(self, decoded: Decoded, clients: int) -> Suggestion:
        labels = {name: label for name, label in decoded.labels.items() if name in self._space}
        configuration = self._levels.decode(labels)
        return Suggestion(repair(configuration, self._space, clients), decoded.log_likelihood)


def load_suggester(
    space: KnobSpace, base: BaseModel, adapter: Path | None = DEFAULT_ADAPTER
) -> Suggester:
    """Load the base model and an adapter for suggestions in `space`.

    The model is asked in the shape that it was trained in: for all knobs of its adapter,
    those that cannot be changed here with the label of what the server has. Knobs that
    the adapter was not trained on stay at their baseline: nothing is known of what the
    model would say of them.

    Args:
        adapter: its folder; None means the untuned base model.

    Raises:
        AdapterMismatch: it was trained for another base model or knob catalogue, or on none
            of the knobs of `space`.
        ModelError: a file is missing or damaged.
    """
    # Before torch is imported, which takes seconds: a wrong adapter fails at once.
    asked = space
    if adapter is not None:
        asked = _trained(space, check_adapter(adapter, base, space.catalogue_hash), adapter)
    from llmtune.model.decoder import Decoder

    codec = load_codec(base, asked)
    decoder = Decoder(load_reader(base, adapter), codec, _out_of_reach(asked, space))
    return Suggester(space, codec, decoder)


def _trained(space: KnobSpace, card: Card, adapter: Path) -> KnobSpace:
    """All knobs of the adapter that the server has, whether or not they can be changed.

    Raises:
        AdapterMismatch: none of them can.
    """
    if not any(name in space for name in card.knobs):
        raise AdapterMismatch(
            f"the adapter in {adapter} was trained on none of the knobs that can be changed "
            f"here ({', '.join(space.names)}); begin with --warm-start rules"
        )
    names = [name for name in card.knobs if name in space.server_defaults]
    return resolve_space(load_catalogue(), space.version, space.hardware, names, durability=True)


def _out_of_reach(asked: KnobSpace, space: KnobSpace) -> dict[str, str]:
    """The labels nearest to what the server has of the knobs that `space` lacks."""
    levels = LevelCodec(asked)
    given: dict[str, str] = {}
    for knob in asked.knobs:
        if knob.name not in space:
            value, choices = space.surroundings[knob.name], knob.knob.choices
            # Of a choice that the catalogue does not have, the model knows nothing.
            known = not choices or value in choices
            given[knob.name] = levels.label(knob.name, value) if known else DEFAULT_LABEL
    return given


def suggested(model: ReadyModel, stage: Stage, candidates: int, seed: int) -> list[Configuration]:
    """The model's configurations for the stage's workload, best first.

    The likeliest comes first. The others follow in the order of the time that their plans
    promise; where there is no server to plan on, in the model's own.

    Raises:
        AdapterMismatch, ModelError: see `load_suggester`.
        DatasetError: the adapter's measurements are missing or damaged.
    """
    suggester = load_suggester(stage.space, model.base, model.adapter)
    suggestions = suggester.suggest(stage.profile, candidates, seed=seed)
    mode, *others = [one.configuration for one in suggestions]
    what_if = stage.what_if_features()
    if what_if is None:
        return [mode, *others]
    ranker = Ranker(model.adapter, what_if.names)
    return [mode, *sorted(others, key=lambda one: ranker.ratio(stage.profile, what_if(one)))]
