"""`result.json`: what a finished session tells the world."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any

from llmtune.errors import SessionError
from llmtune.knobs.configuration import Value

RESULT_SCHEMA = 1


@dataclass(frozen=True, slots=True)
class ObjectiveFacts:
    """The objective's name, unit and direction (`minimize`, `maximize`)."""

    name: str
    unit: str
    direction: str


@dataclass(frozen=True, slots=True)
class HardwareFacts:
    """What the server could use: cores and bytes of memory."""

    cores: int
    memory: int


@dataclass(frozen=True, slots=True)
class DefaultFacts:
    """The default's mean value over the final runs and its 95% interval."""

    value: float
    ci95: tuple[float, float]


@dataclass(frozen=True, slots=True)
class BestFacts:
    """The recommended configuration, complete, and its mean value over the final runs."""

    value: float
    ci95: tuple[float, float]
    source: str
    configuration: dict[str, Value]
    restart_required: bool


@dataclass(frozen=True, slots=True)
class Improvement:
    """How many times better the best is than the default.

    Attributes:
        ci95: the bootstrap interval of `ratio`.
        significant: the interval excludes 1.
        improved: it lies above 1; only then may anyone say so.
    """

    ratio: float
    ci95: tuple[float, float]
    significant: bool
    improved: bool


@dataclass(frozen=True, slots=True)
class TrialFacts:
    """One trial, of the search or of the decision (`phase` is search, prune or confirm).

    Attributes:
        reused: how many queries took their time from earlier trials.
        pace: how many times slower the machine was than in the first trial; `value` is
            without it. None where that is not known.
    """

    number: int
    phase: str
    source: str
    status: str
    value: float | None
    wall_s: float
    measured_s: float
    ask_s: float
    message: str
    configuration: dict[str, Value]
    reused: int = 0
    pace: float | None = None


@dataclass(frozen=True, slots=True)
class KnobChange:
    """A knob that the best configuration changes; texts are in human form, as `64MB`.

    Attributes:
        default: the baseline's value.
        effect: restart, reload or session.
        why: one line on what the knob does.
        baseline: what the baseline is, as in the result.
    """

    name: str
    default: Value
    best: Value
    default_text: str
    best_text: str
    effect: str
    why: str
    baseline: str = "default"


@dataclass(frozen=True, slots=True)
class KnobWeight:
    """How much a knob mattered in the session's trials.

    Attributes:
        share: of the variance of the value's logarithm, what the knob has a part in, 0 to 1.
        ci95: the middle 95% of `share` over resampled trials.
        matters: it stands out from what random numbers would get.
    """

    name: str
    share: float
    ci95: tuple[float, float]
    matters: bool


@dataclass(frozen=True, slots=True)
class Overhead:
    """Where the seconds outside query execution went.

    Attributes:
        ratio: their share of the session's wall seconds.
        apply_s: applying, reading back and probing the pace, restarts excluded.
        ask_s: between trials: the optimizer, the journal and the session itself.
        suggest_s: making the warm start's proposals.
    """

    ratio: float
    restart_s: float
    apply_s: float
    ask_s: float
    suggest_s: float


@dataclass(frozen=True, slots=True)
class TuningResult:
    """The content of `result.json`.

    Attributes:
        wall_s: seconds of the whole session; measured_s: those in which queries ran.
        dropped: changes that were put back to the baseline because they did not matter.
        importance: the knobs, the most important first; empty where too few trials tell.
        baseline: what all is compared with, and called `default` here: the server's
            `default` settings, or the `current` ones that a live server came with.
    """

    session: str
    target: str
    workload: str
    server_version: int
    hardware: HardwareFacts
    optimizer: str
    warm_start: str
    seed: int
    objective: ObjectiveFacts
    default: DefaultFacts
    best: BestFacts
    improvement: Improvement
    knobs: tuple[KnobChange, ...]
    dropped: tuple[str, ...]
    trials: tuple[TrialFacts, ...]
    wall_s: float
    measured_s: float
    suggest_s: float
    overhead: Overhead
    catalogue_hash: str
    code_version: str
    schema_version: int = RESULT_SCHEMA
    baseline: str = "default"
    importance: tuple[KnobWeight, ...] = ()

    def to_json(self) -> str:
        """Indented JSON with the fields in this order."""
        return json.dumps(asdict(self), indent=2, allow_nan=False) + "\n"

    @classmethod
    def from_json(cls, text: str) -> TuningResult:
        """The result that `text` was made from.

        Raises:
            SessionError: it is not JSON, or of another schema.
        """
        try:
            return _from_fields(cls, json.loads(text))
        except (ValueError, KeyError, TypeError) as error:
            raise SessionError(f"this is no result of a tuning session: {error}") from error


def _from_fields(cls: type[TuningResult], fields: dict[str, Any]) -> TuningResult:
    if fields["schema_version"] != RESULT_SCHEMA:
        raise ValueError(f"schema {fields['schema_version']}, not {RESULT_SCHEMA}")
    return cls(
        **{
            **fields,
            "hardware": HardwareFacts(**fields["hardware"]),
            "objective": ObjectiveFacts(**fields["objective"]),
            "default": DefaultFacts(**_with_interval(fields["default"])),
            "best": BestFacts(**_with_interval(fields["best"])),
            "improvement": Improvement(**_with_interval(fields["improvement"])),
            "knobs": tuple(KnobChange(**knob) for knob in fields["knobs"]),
            "dropped": tuple(fields["dropped"]),
            "trials": tuple(TrialFacts(**trial) for trial in fields["trials"]),
            "overhead": Overhead(**fields["overhead"]),
            "importance": tuple(
                KnobWeight(**_with_interval(one)) for one in fields.get("importance", ())
            ),
        }
    )


def _with_interval(fields: dict[str, Any]) -> dict[str, Any]:
    low, high = fields["ci95"]
    return {**fields, "ci95": (low, high)}
