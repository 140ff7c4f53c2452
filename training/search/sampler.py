"""Samplers: what the next trial tries."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import optuna
from optuna.distributions import BaseDistribution
from optuna.trial import FrozenTrial, TrialState

from training.search.space import Dimension


def sampler_of(method: str, seed: int, space: Sequence[Dimension]) -> optuna.samplers.BaseSampler:
    """By one of the methods. Processes that work on the same study need not know of each other."""
    if method == "grid":
        return optuna.samplers.GridSampler({dimension.key: dimension.grid() for dimension in space}, seed=seed)
    kind = optuna.samplers.RandomSampler if method == "random" else optuna.samplers.TPESampler
    return SeededByTrial(lambda trial_seed: kind(seed=trial_seed), seed)


class SeededByTrial(optuna.samplers.BaseSampler):  # type: ignore[misc]
    """A sampler that is made anew for each trial, with a seed that follows from the trial's number.

    A sampler with one seed draws the same again in each process that joins, and in each search that goes on: two of them would try
    everything twice.
    """

    def __init__(self, make: Callable[[int], optuna.samplers.BaseSampler], seed: int) -> None:
        self._make, self._seed = make, seed
        self._sampler = make(seed)

    def before_trial(self, study: optuna.Study, trial: FrozenTrial) -> None:
        self._sampler = self._make(int(np.random.SeedSequence([self._seed, trial.number]).generate_state(1)[0]))
        self._sampler.before_trial(study, trial)

    def infer_relative_search_space(self, study: optuna.Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        found: dict[str, BaseDistribution] = self._sampler.infer_relative_search_space(study, trial)
        return found

    def sample_relative(self, study: optuna.Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]) -> dict[str, Any]:
        found: dict[str, Any] = self._sampler.sample_relative(study, trial, search_space)
        return found

    def sample_independent(self, study: optuna.Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution) -> Any:
        return self._sampler.sample_independent(study, trial, param_name, param_distribution)

    def after_trial(self, study: optuna.Study, trial: FrozenTrial, state: TrialState, values: Sequence[float] | None) -> None:
        self._sampler.after_trial(study, trial, state, values)
