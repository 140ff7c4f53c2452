"""One trial after the other, until a study that others may work on as well has enough of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import optuna
from optuna.trial import TrialState

from training.errors import SearchError, TrainingError
from training.search.study import begin, give_back, is_lost, join, revive

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
        trying = _Trying(searching, search)
        try:
            study.optimize(trying, n_trials=1, catch=(TrainingError,))
        except (KeyboardInterrupt, SystemExit):
            if trying.number is not None and not trying.is_lost:
                give_back(study, trying.number)
            raise
        except Exception:  # Optuna has several for a trial that is no longer this process's to tell
            if not trying.is_lost:
                raise
            say(f"another search took trial {trying.number} for interrupted, as when this machine has slept: it is tried again")
            continue
        if trying.failure:
            say(f"a trial failed: {trying.failure}")
            if states[TrialState.FAIL] + 1 >= _HOPELESS and not states[TrialState.COMPLETE] + states[TrialState.PRUNED]:
                raise SearchError(f"{_HOPELESS} trials failed and none succeeded; mend the space: {trying.failure}")


class _Trying:
    """What a trial comes to, where Optuna keeps it to itself."""

    def __init__(self, searching: Callable[[optuna.Trial], float], search: str) -> None:
        self._searching, self._search = searching, search
        self.number: int | None = None
        self.failure: TrainingError | None = None
        self.is_lost = False

    def __call__(self, trial: optuna.Trial) -> float:
        self.number = trial.number
        try:
            begin(trial, self._search)
            return self._searching(trial)
        except TrainingError as error:
            self.failure = error
            raise
        finally:
            self.is_lost = is_lost(trial)


def _is_exhausted(study: optuna.Study) -> bool:
    if not isinstance(study.sampler, optuna.samplers.GridSampler):
        return False
    waiting = study.get_trials(deepcopy=False, states=(TrialState.WAITING,))
    exhausted: bool = study.sampler.is_exhausted(study)
    return exhausted and not waiting
