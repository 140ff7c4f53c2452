"""What a search found: the best recipe as a file, what mattered, and the trials in a table."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import optuna
from optuna.trial import FrozenTrial, TrialState

from training.errors import SearchError
from training.recipe import Source, changed
from training.recipe_text import to_toml
from training.search.space import words
from training.search.study import RUN

_SHOWN = 10
_COLUMNS = "{:>6}{:>7}{:>12}{:>9}  {}"


def best_of(study: optuna.Study) -> FrozenTrial:
    """Raises SearchError where no trial came to its end."""
    try:
        return study.best_trial
    except ValueError as error:
        raise SearchError(f"no trial of {study.study_name!r} came to its end, so nothing was found; allow more with --trials") from error


def best_recipe(study: optuna.Study, source: Source) -> Source:
    """The recipe of the best trial, with how it was found as the reason."""
    best = best_of(study)
    return changed(source, best.params, f"found by search: {ended(study)} trials, validation {best.value:.4f}")


def write_recipe(path: Path, source: Source) -> None:
    """Raises SearchError if the file cannot be written."""
    try:
        path.write_text(to_toml(source), encoding="utf-8")
    except OSError as error:
        raise SearchError(f"{path} cannot be written: {error.strerror}; choose another with --out FILE") from error


def ended(study: optuna.Study) -> int:
    """Trials that came to an end or were given up."""
    return len(study.get_trials(deepcopy=False, states=(TrialState.COMPLETE, TrialState.PRUNED)))


def importances(study: optuna.Study) -> dict[str, float]:
    """Key → share of the difference between good and bad trials that it makes (PED-ANOVA: Watanabe et al., IJCAI 2023,
    arXiv 2304.10255), the largest first; empty where there are too few trials to say.
    """
    if len(study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))) < _SHOWN:
        return {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            found: dict[str, float] = optuna.importance.get_param_importances(
                study, evaluator=optuna.importance.PedAnovaImportanceEvaluator()
            )
        except (ValueError, RuntimeError):  # as where all trials have the same score
            return {}
    return {key: round(value, 4) for key, value in found.items()}


def facts(study: optuna.Study) -> dict[str, Any]:
    """What a search comes to, as JSON has it."""
    best = best_of(study)
    states = Counter(trial.state.name.lower() for trial in study.trials)
    return {
        "study": study.study_name,
        "trials": dict(states),
        "best": {"trial": best.number, "run": _run(best), "validation": best.value, "values": best.params},
        "importances": importances(study),
    }


def table(study: optuna.Study) -> str:
    """The best trials, and what became of the others."""
    trials = study.get_trials(deepcopy=False)
    sign = -1 if study.direction == optuna.study.StudyDirection.MAXIMIZE else 1
    complete = sorted((trial for trial in trials if trial.state == TrialState.COMPLETE), key=lambda trial: sign * (trial.value or 0.0))
    lines = [_COLUMNS.format("trial", "run", "validation", "epochs", "what")]
    lines += [
        _COLUMNS.format(trial.number, _run(trial) or "", f"{trial.value:.4f}", len(trial.intermediate_values), words(trial.params))
        for trial in complete[:_SHOWN]
    ]
    others = _others(trials, len(complete))
    mattered = ", ".join(f"{key} {share:.0%}" for key, share in importances(study).items())
    return "\n".join([*lines, *([others] if others else []), *([f"what made the difference: {mattered}"] if mattered else [])])


def _others(trials: Sequence[FrozenTrial], complete: int) -> str:
    """Trials that are not in the table, by why."""
    reasons = Counter(
        trial.user_attrs.get("reason", "").partition(":")[0].partition(" after ")[0] or trial.state.name.lower()
        for trial in trials
        if trial.state != TrialState.COMPLETE
    )
    more = [f"{complete - _SHOWN} more came to their end"] if complete > _SHOWN else []
    return "; ".join([*more, *(f"{count} × {reason}" for reason, count in reasons.most_common())])


def _run(trial: FrozenTrial) -> int | None:
    run = trial.user_attrs.get(RUN)
    return int(Path(run).name) if run else None
