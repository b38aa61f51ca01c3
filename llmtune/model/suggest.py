"""The suggester: a profile in, ranked configurations out, nothing run."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from llmtune.errors import AdapterMismatch, UsageError
from llmtune.knobs.configuration import Configuration
from llmtune.knobs.levels import LevelCodec
from llmtune.knobs.memory import repair
from llmtune.knobs.space import KnobSpace
from llmtune.model.adapter import DEFAULT_ADAPTER, check_adapter
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
        log_likelihood: natural logarithm of the model's joint probability of
            the labels; 0 or below, larger is likelier.
    """

    configuration: Configuration
    log_likelihood: float


class Suggester:
    """Suggests configurations of one knob space with a loaded model."""

    def __init__(
        self, space: KnobSpace, asked: KnobSpace, codec: TokenCodec, decoder: Decoder
    ) -> None:
        """Args: asked: the part of `space` that the model is asked about; the rest
        of a suggestion stays at its baseline.
        """
        self._space = space
        self._codec = codec
        self._decoder = decoder
        self._levels = LevelCodec(asked)
        self._prompts = PromptCodec(asked)

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
        configuration = self._space.configuration(self._levels.decode(decoded.labels))
        return Suggestion(repair(configuration, self._space, clients), decoded.log_likelihood)


def load_suggester(
    space: KnobSpace, base: BaseModel, adapter: Path | None = DEFAULT_ADAPTER
) -> Suggester:
    """Load the base model and an adapter for suggestions in `space`.

    Knobs that the adapter was not trained on stay at their baseline: nothing is known
    of what the model would say of them.

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
        card = check_adapter(adapter, base, space.catalogue_hash)
        known = [name for name in card.knobs if name in space]
        if not known:
            raise AdapterMismatch(
                f"the adapter in {adapter} was trained on none of the knobs that can be changed "
                f"here ({', '.join(space.names)}); begin with --warm-start rules"
            )
        asked = space.subset(known)
    from llmtune.model.decoder import Decoder

    codec = load_codec(base.path, asked)
    return Suggester(space, asked, codec, Decoder(load_reader(base, adapter), codec))


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
