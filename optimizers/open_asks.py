"""Asks that wait for their trials, and the randomness that a replayed journal goes on with."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from llmtune.knobs.configuration import Configuration


class OpenAsks:
    """The configurations that were asked and have no answer yet, oldest first.

    What an optimizer draws follows from its seed, the trials told and the open asks alone:
    so the same tells give the same asks, and several asks in a row differ.
    """

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._asked: list[Configuration] = []

    def __iter__(self) -> Iterator[Configuration]:
        return iter(self._asked)

    def __len__(self) -> int:
        return len(self._asked)

    def rng(self, told: int) -> np.random.Generator:
        """What the next ask draws from, after `told` trials."""
        return np.random.default_rng(self._sequence(told))

    def seed(self, told: int) -> int:
        """The same for a library with a generator of its own: from 0 to 2**32 - 1."""
        return int(self._sequence(told).generate_state(1)[0])

    def add(self, configuration: Configuration) -> None:
        """One more ask; the same configuration may wait twice."""
        self._asked.append(configuration)

    def answer(self, configuration: Configuration) -> int | None:
        """Strike off the ask that a trial of this configuration answers, if there is one.

        Returns:
            Its place among the open asks, from 0.
        """
        if configuration not in self._asked:
            return None
        place = self._asked.index(configuration)
        del self._asked[place]
        return place

    def _sequence(self, told: int) -> np.random.SeedSequence:
        return np.random.SeedSequence([self._seed, told, len(self._asked)])
