"""What all scores of labels have in common, however these were asked for."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class LabelScores:
    """How often a model names the labels that were measured best.

    Attributes:
        labels: how many.
        changed: how many of them are not `default`.
        accuracy: share of the labels that the model names.
        changed_accuracy: the same over the changed ones; 0 when there are none.
    """

    labels: int
    changed: int
    accuracy: float
    changed_accuracy: float

    @property
    def default_accuracy(self) -> float:
        """The accuracy of saying `default` for every knob."""
        return 1 - self.changed / self.labels
