"""SMAC's random forest with expected improvement. Import lazily; it is in the extra `smac`.

Source: M. Lindauer et al., "SMAC3: A Versatile Bayesian Optimization Package for
Hyperparameter Optimization" (arXiv 2109.09831).
"""

from __future__ import annotations

import logging
import tempfile
from pathlib import Path

from ConfigSpace import Categorical, Configuration, ConfigurationSpace, Float
from smac import HyperparameterOptimizationFacade as Facade
from smac import Scenario
from smac.acquisition.maximizer import LocalAndSortedRandomSearch
from smac.model.random_forest import RandomForest
from smac.runhistory import TrialInfo, TrialValue

from optimizers.model_based import ModelBased
from optimizers.space import Axis, Floats

CHALLENGERS, SEARCHES, STEPS = 2000, 5, 20
"""Random candidates, and local searches with their steps, of one ask: a fifth of SMAC's
own numbers, which take some seconds with forty knobs."""

NEVER = 10**9


class SMAC(ModelBased):
    """The facade for hyper-parameters, told every trial of the session anew at each ask."""

    name = "smac"

    def propose(self, points: Floats, losses: Floats, seed: int) -> Floats:
        """The candidate with the best expected improvement, or now and then a random one."""
        logging.getLogger("smac").setLevel(logging.CRITICAL)
        space = ConfigurationSpace(seed=seed)
        space.add([_hyperparameter(name, axis) for name, axis in self.cube.axes.items()])
        # The model takes logarithms, and refuses what is not positive.
        costs = 1.0 + losses - losses.min()
        with tempfile.TemporaryDirectory() as folder:
            facade = _facade(space, Path(folder), seed, len(points))
            for point, cost in zip(points, costs, strict=True):
                told = TrialInfo(Configuration(space, dict(self.cube.mixed(point))), seed=0)
                facade.tell(told, TrialValue(cost=float(cost)), save=False)
            # Each trial has been made once and none is to be repeated, so all that the
            # intensifier would do is to go through them before it asks this itself.
            return self.cube.unmixed(dict(next(facade.intensifier.config_generator)))


def _facade(space: ConfigurationSpace, folder: Path, seed: int, trials: int) -> Facade:
    scenario = Scenario(
        space, deterministic=True, n_trials=NEVER, output_directory=folder, seed=seed
    )
    return Facade(
        scenario,
        _not_called,
        model=_forest(space, seed, trials),
        initial_design=Facade.get_initial_design(scenario, n_configs=0),
        intensifier=Facade.get_intensifier(scenario, max_config_calls=1),
        acquisition_maximizer=LocalAndSortedRandomSearch(
            space,
            challengers=CHALLENGERS,
            local_search_iterations=SEARCHES,
            max_steps=STEPS,
            seed=seed,
        ),
        logging_level=False,  # or it would set up the root logger
    )


def _forest(space: ConfigurationSpace, seed: int, trials: int) -> RandomForest:
    """The facade's own forest, and faster: no tree has more leaves than there are trials, for
    as many as it may have memory is cleared; and threads take longer to start than to grow it.
    """
    return RandomForest(
        space, n_trees=10, ratio_features=1.0, min_samples_split=2, min_samples_leaf=1,
        max_leaf_nodes=trials + 1, log_y=True, n_jobs=1, seed=seed,
    )  # fmt: skip


def _not_called(config: Configuration, seed: int = 0) -> float:
    raise AssertionError(f"trials are told, never run: {config}, seed {seed}")


def _hyperparameter(name: str, axis: Axis) -> Categorical | Float:
    if axis.choices:
        return Categorical(name, list(range(len(axis.choices))))
    return Float(name, (0.0, 1.0))
