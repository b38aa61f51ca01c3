"""DDPG: an actor proposes, a critic judges, both learn from the session's transitions.

Sources: J. Zhang et al., "An End-to-End Automatic Cloud Database Tuning System Using Deep
Reinforcement Learning" (CDBTune, SIGMOD 2019); T. P. Lillicrap et al., "Continuous control
with deep reinforcement learning" (arXiv 1509.02971); for asks around the best, B. Cai et al.,
"HUNTER: An Online Cloud Database Hybrid Tuning System for Personalized Requirements" (SIGMOD
2022). Import lazily: torch takes seconds.
"""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from llmtune.knobs.space import KnobSpace
from llmtune.trial import Trial
from optimizers.model_based import STARTUP_TRIALS, ModelBased
from optimizers.projection import Projection, unchanged
from optimizers.space import Floats
from workloads.objective import Objective

DISCOUNT = 0.9
"""CDBTune takes 0.99, for agents that run for thousands of steps; a session has some sixty."""
UPDATES = 200
BATCH = 32
ACTOR_RATE, CRITIC_RATE = 1e-3, 3e-3
FOLLOW = 0.02
"""How far the target networks move towards their models in an update."""
WIDTH = 64
NOISE, NOISE_LEFT, NOISE_HALVES = 0.25, 0.04, 15
"""Standard deviation of the exploration's noise at first and in the end, and the trials in
which what lies between them halves."""
AROUND_BEST, REDRAWN = 0.6, 0.3
"""The share of asks that vary the best trial instead of following the actor, HUNTER's "fast
exploration strategy", and the share of the knobs that they draw anew: noise of the actor's kind
seldom leaves a choice's slot. An actor of some sixty transitions alone finds no more than random
search (docs/optimizers.md)."""


@dataclass(frozen=True, slots=True)
class Memory:
    """Transitions: what was seen, what was done, what it brought, what was seen next.

    Attributes:
        states, following: shape (n, s); actions: shape (n, d); rewards: shape (n,).
    """

    states: Tensor
    actions: Tensor
    rewards: Tensor
    following: Tensor


class DDPG(ModelBased):
    """Deep deterministic policy gradient, its action a point of the unit cube.

    As in CDBTune: the reward, which compares with the first and the previous trial,
    replay memory, target networks, noise that decays. Not as in CDBTune: the state is
    what a session has seen of the last trial, its loss and its queries' times against
    those of the first trial, and not the server's 63 internal metrics; there is no
    agent trained beforehand; the networks, smaller ones, are trained anew on all
    transitions at each ask, so that a replayed journal goes on as if never stopped; and
    some asks leave the actor alone and vary the best trial.
    """

    name = "ddpg"

    def __init__(
        self,
        space: KnobSpace,
        objective: Objective,
        seed: int,
        project: Projection = unchanged,
        startup_trials: int = STARTUP_TRIALS,
    ) -> None:
        super().__init__(space, objective, seed, project, startup_trials)
        self._times: list[dict[str, float]] = []

    def learn(self, trial: Trial) -> None:
        """Keep what its queries took: the next state."""
        super().learn(trial)
        self._times.append({time.query_id: time.seconds for time in trial.query_times})

    def propose(self, points: Floats, losses: Floats, seed: int) -> Floats:
        """The best trial with some knobs drawn anew, or the actor's with the noise of its time."""
        rng = np.random.default_rng(seed)
        if rng.uniform() < AROUND_BEST:
            best = points[int(losses.argmin())]
            redrawn = rng.uniform(size=best.shape) < REDRAWN
            return np.asarray(np.where(redrawn, rng.uniform(size=best.shape), best))
        action = self._acted(points, losses, rng)
        noise = NOISE_LEFT + (NOISE - NOISE_LEFT) * 0.5 ** (len(points) / NOISE_HALVES)
        noisy = action + rng.normal(scale=noise, size=action.shape)
        return np.asarray(np.clip(noisy, 0.0, 1.0))

    def _acted(self, points: Floats, losses: Floats, rng: np.random.Generator) -> Floats:
        """What the actor would do after the last trial, shape (d,)."""
        times = self._times + [{}] * (len(losses) - len(self._times))
        states = observed(losses, times)
        with torch.random.fork_rng():
            torch.manual_seed(self.seed)
            rewards = rewards_of(losses, self.objective)
            actor = _trained(_memory(states, points, rewards), rng)
        with torch.no_grad():
            return np.asarray(actor(torch.from_numpy(states[-1])).numpy(), dtype=np.float64)


def observed(losses: Floats, times: list[dict[str, float]]) -> Floats:
    """The state after each trial, shape (n, s), float32.

    Its loss against the first trial's, the best loss so far against it, and for each
    query of the first trial that tells its queries' times the logarithm of its time
    against then; 0 where the trial did not come to the query.
    """
    first = next((one for one in times if one), {})
    queries = [
        [float(np.log(one[name] / first[name])) if one.get(name) and first[name] else 0.0
         for name in first]
        for one in times
    ]  # fmt: skip
    best = np.minimum.accumulate(losses)
    overall = np.stack([losses - losses[0], best - losses[0]], axis=1)
    table = np.concatenate([overall, np.array(queries).reshape(len(times), -1)], axis=1)
    return np.asarray(table, dtype=np.float32).clip(-3.0, 3.0)


def rewards_of(losses: Floats, objective: Objective) -> Floats:
    """CDBTune's reward for each trial but the first: shape (n,) to shape (n - 1,).

    With the gains over the first and the previous trial as shares of their values: the
    square of one plus the gain over the first, less one, times one plus the gain over
    the previous; negative and mirrored for a loss; 0 for a gain over the first that is
    less than the previous trial's.

    Args:
        objective: whose losses they are.
    """
    first = objective.gain(np.exp(losses[1:] - losses[0]))
    previous = objective.gain(np.exp(losses[1:] - losses[:-1]))
    gained = np.where(previous < 0, 0.0, ((1 + first) ** 2 - 1) * np.abs(1 + previous))
    lost = -((1 - first) ** 2 - 1) * np.abs(1 - previous)
    return np.asarray(np.where(first > 0, gained, lost))


def _memory(states: Floats, points: Floats, rewards: Floats) -> Memory:
    scale = max(float(np.abs(rewards).max(initial=0.0)), 1e-6)
    tensors = (states[:-1], points[1:], rewards / scale, states[1:])
    return Memory(*(torch.from_numpy(np.asarray(one, dtype=np.float32)) for one in tensors))


def _layers(inputs: int, outputs: int, *last: nn.Module) -> nn.Sequential:
    return nn.Sequential(
        nn.Linear(inputs, WIDTH), nn.ReLU(), nn.Linear(WIDTH, WIDTH), nn.ReLU(),
        nn.Linear(WIDTH, outputs), *last,
    )  # fmt: skip


def _trained(memory: Memory, rng: np.random.Generator) -> nn.Sequential:
    """The actor after `UPDATES` steps over batches of the memory."""
    states, actions = memory.states.shape[1], memory.actions.shape[1]
    actor, critic = _layers(states, actions, nn.Sigmoid()), _layers(states + actions, 1)
    targets = deepcopy(actor), deepcopy(critic)
    act = torch.optim.Adam(actor.parameters(), ACTOR_RATE)
    judge = torch.optim.Adam(critic.parameters(), CRITIC_RATE, weight_decay=1e-3)
    for _ in range(UPDATES if len(memory.rewards) else 0):
        rows = torch.from_numpy(rng.integers(len(memory.rewards), size=BATCH))
        seen, done = memory.states[rows], memory.actions[rows]
        error = critic(torch.cat([seen, done], 1))[:, 0] - _returns(memory, rows, *targets)
        _step(judge, error.square().mean())
        _step(act, -critic(torch.cat([seen, actor(seen)], 1)).mean())
        for model, target in zip((actor, critic), targets, strict=True):
            _follow(target, model)
    return actor


def _returns(memory: Memory, rows: Tensor, actor: nn.Module, critic: nn.Module) -> Tensor:
    """The rewards and what the target networks expect to follow, shape (batch,)."""
    with torch.no_grad():
        following = memory.following[rows]
        later = critic(torch.cat([following, actor(following)], 1))[:, 0]
        total: Tensor = memory.rewards[rows] + DISCOUNT * later
        return total


def _step(optimizer: torch.optim.Optimizer, loss: Tensor) -> None:
    optimizer.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]
    optimizer.step()


def _follow(target: nn.Module, model: nn.Module) -> None:
    with torch.no_grad():
        for mine, new in zip(target.parameters(), model.parameters(), strict=True):
            mine.lerp_(new, FOLLOW)
