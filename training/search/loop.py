"""One trial after the other, until a study that others may work on as well has enough of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import optuna
from optuna.trial import TrialState

from training.errors import SearchError, TrainingError
from training.search.study import join, revive

#: So many failures without a single success are a space that cannot be, not bad luck.
_HOPELESS = 5
_COUNTED = (TrialState.COMPLETE, TrialState.PRUNED, TrialState.RUNNING)


def run_trials(
    study: optuna.Study, searching: Callable[[optuna.Trial], float], trials: int, search: str, say: Callable[[str], None]
) -> None:
    """Train until the study has so many trials that came to an end or were given up, counting those that others are at.

    `search` is the folder of the run that tells of this search. Raises SearchError where one after the other fails.
    """
    join(study, search)
    while True:
        for number in revive(study, search):
            say(f"trial {number} was interrupted: it is tried again")
        states = Counter(trial.state for trial in study.get_trials(deepcopy=False))
        if sum(states[state] for state in _COUNTED) >= trials or _is_exhausted(study):
            return
        failures: list[TrainingError] = []
        study.optimize(_noting(searching, failures), n_trials=1, catch=(TrainingError,))
        if failures:
            say(f"a trial failed: {failures[0]}")
            if states[TrialState.FAIL] + 1 >= _HOPELESS and not states[TrialState.COMPLETE] + states[TrialState.PRUNED]:
                raise SearchError(f"{_HOPELESS} trials failed and none succeeded; mend the space: {failures[0]}")


def _noting(searching: Callable[[optuna.Trial], float], failures: list[TrainingError]) -> Callable[[optuna.Trial], float]:
    """Optuna keeps what a failed trial raised to itself."""

    def noted(trial: optuna.Trial) -> float:
        try:
            return searching(trial)
        except TrainingError as error:
            failures.append(error)
            raise

    return noted


def _is_exhausted(study: optuna.Study) -> bool:
    if not isinstance(study.sampler, optuna.samplers.GridSampler):
        return False
    waiting = study.get_trials(deepcopy=False, states=(TrialState.WAITING,))
    exhausted: bool = study.sampler.is_exhausted(study)
    return exhausted and not waiting
