"""Which configurations to measure: a seeded, reproducible sampling plan."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass

from llmtune.knobs.configuration import Configuration, Value
from llmtune.knobs.levels import LevelCodec
from llmtune.knobs.memory import fits, repair
from llmtune.knobs.space import KnobSpace
from optimizers.rules import rule_configuration
from optimizers.space import UnitCube

CHANGE_RATES = (0.1, 0.25, 0.5)
"""Shares of knobs that a sampled configuration changes. Sparse changes show what a
knob does alone, dense ones how knobs act together."""

DEFAULT_REPEATS, DEFAULT_EVERY = 3, 20

BACK_TO_DEFAULT, MOVED, STEP = 0.3, 0.4, 0.15
"""A neighbour's knob goes back to default or moves by about a STEP of its axis, in
these shares; otherwise it is set anew."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """One configuration to measure, and who asked for it."""

    source: str
    configuration: Configuration


def schedule(space: KnobSpace, seed: int, clients: int = 1) -> Iterator[Candidate]:
    """Yield what a matrix measures first, without end.

    The default comes first and again every so often, so that the matrix knows its
    own noise and the machine's drift; then the rule-based configuration, if it fits
    the server's memory; the rest is sampled.
    """
    yield from [Candidate("default", space.default())] * DEFAULT_REPEATS
    rules = _named(rule_configuration(space, clients), LevelCodec(space), clients)
    if fits(rules, space, clients):
        yield Candidate("rules", rules)
    for number, candidate in enumerate(sample(space, seed, clients), start=1):
        yield candidate
        if number % DEFAULT_EVERY == 0:
            yield Candidate("default", space.default())


def sample(space: KnobSpace, seed: int, clients: int = 1) -> Iterator[Candidate]:
    """Yield random configurations without end, all of which fit the server's memory.

    The n-th one depends on `seed` and n alone, so a plan can be continued.
    """
    default, axes, levels = space.default(), UnitCube(space).axes, LevelCodec(space)
    number = 0
    while True:
        rng = random.Random(f"{seed}/{number}")  # noqa: S311 - sampling, not secrets
        rate = rng.choice(CHANGE_RATES)
        changes = {
            name: axis.value(rng.random()) for name, axis in axes.items() if rng.random() < rate
        }
        configuration = _named(space.from_default(changes), levels, clients)
        number += 1
        if configuration != default and fits(configuration, space, clients):
            yield Candidate("sampled", configuration)


def neighbours(
    configuration: Configuration, space: KnobSpace, rng: random.Random, clients: int = 1
) -> Iterator[Configuration]:
    """Yield variations of one configuration without end, all of which fit the memory:
    a few knobs moved a little, set anew, or put back to their default."""
    default, axes, levels = space.default(), UnitCube(space).axes, LevelCodec(space)
    while True:
        changes = configuration.changes(default)
        for name in rng.sample(list(axes), k=min(len(axes), rng.choice((1, 1, 2, 3)))):
            axis, fate = axes[name], rng.random()
            if fate < BACK_TO_DEFAULT:
                changes.pop(name, None)
                continue
            here = axis.coordinate(configuration[name])
            moved = rng.gauss(here, STEP) if fate < BACK_TO_DEFAULT + MOVED else rng.random()
            changes[name] = axis.value(min(1.0, max(0.0, moved)))
        near = _named(space.from_default(changes), levels, clients)
        if fits(near, space, clients):
            yield near


def _named(configuration: Configuration, levels: LevelCodec, clients: int) -> Configuration:
    """With each knob on the nearest value that the model can name, lower where memory is short.

    So a label, which is one of the measured configurations, says what was measured.
    """
    named = levels.decode(levels.encode(configuration))
    lowered = repair(named, levels.space, clients).changes(named)
    below = {name: _at_most(value, name, levels) for name, value in lowered.items()}
    return levels.space.configuration({**named, **below})


def _at_most(value: Value, name: str, levels: LevelCodec) -> Value:
    """The highest level of an amount that is no more than `value`; the least one if none is."""
    knob = levels.space[name]
    values = [levels.value(name, label) for label in levels.labels(name)]
    amounts = sorted(float(one) for one in values if one not in knob.specials)
    return type(value)(max((one for one in amounts if one <= float(value)), default=amounts[0]))


def without_each_change(
    configuration: Configuration, space: KnobSpace, clients: int = 1
) -> Iterator[Configuration]:
    """Yield the configuration with each of its changed knobs put back to default.

    Without those that need the change to fit the server's memory.
    """
    changes = configuration.changes(space.default())
    for name in changes:
        simpler = space.from_default({k: v for k, v in changes.items() if k != name})
        if fits(simpler, space, clients):
            yield simpler
