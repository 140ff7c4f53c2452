"""k-fold cross-validation: how much of a score is the recipe, and how much the luck of one split.

Each fold in turn is held back; a fresh network is fitted to the others, of which a part is for early stopping, and scored on the fold.
The test part of the data set is not touched. Whatever is fitted to the data, scaling and columns, is fitted anew without the fold.

The folds' networks share most of their training rows, so their scores are not independent and s²/k is too small a variance of their
mean. Instead of 1/k stands

    1/k + n_test / n_train

(C. Nadeau and Y. Bengio, "Inference for the generalization error", Machine Learning 52 (2003), 239-281, the corrected resampled t-test;
R. R. Bouckaert and E. Frank, PAKDD 2004, for folds). It is a heuristic: no unbiased estimate of that variance exists (Y. Bengio and
Y. Grandvalet, JMLR 5 (2004), 1089-1105).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import keras
import numpy as np
from scipy.special import stdtrit

from training.data.parts import DataSet, Divided, Part
from training.fitting.attempt import Attempt, attempt
from training.fitting.progress import Progress
from training.recipe import Recipe


@dataclass(frozen=True)
class CrossValidation:
    """The score of each fold, their mean, and the ends of its 95 % interval. `metric`: of classes the accuracy, of values the MAE."""

    metric: Literal["accuracy", "mae"]
    scores: tuple[float, ...]
    mean: float
    lower: float
    upper: float

    def __str__(self) -> str:
        each = ", ".join(f"{score:.4f}" for score in self.scores)
        return f"{len(self.scores)} folds: {self.metric} {self.mean:.4f} ({self.lower:.4f} to {self.upper:.4f}); each {each}"


#: Fits the network of a fold, of which the last argument says in words which it is.
FitFold = Callable[[Recipe, Divided, Progress, str], Attempt]


def fit_fold(recipe: Recipe, split: Divided, progress: Progress, what: str) -> Attempt:
    return attempt(recipe, split.problem, split, progress, what)


def cross_validate(recipe: Recipe, dataset: DataSet, count: int, progress: Progress, fitted: FitFold = fit_fold) -> CrossValidation:
    """Fit and score the recipe on `count` folds. Raises VeletaError, for a fold that cannot be made before anything is fitted."""
    scores, shares = [], []
    for number, split in enumerate(dataset.folds(count, recipe.seed, recipe.max_rows), 1):
        scores.append(score(fitted(recipe, split, progress, f"fold {number} of {count}"), split.test))
        shares.append(len(split.test) / (len(split.train) + len(split.validation)))
        keras.utils.clear_session()  # or every fold's graph stays in memory
    lower, upper = corrected_interval(scores, float(np.mean(shares)))
    if dataset.classes:
        lower, upper = max(lower, 0.0), min(upper, 1.0)
    return CrossValidation("accuracy" if dataset.classes else "mae", tuple(scores), float(np.mean(scores)), max(lower, 0.0), upper)


def score(attempted: Attempt, part: Part) -> float:
    """Accuracy, or mean absolute error where the targets are values."""
    said = np.asarray(attempted.network.predict(part.x, batch_size=512, verbose=0), dtype=np.float64)
    if part.y.dtype.kind in "iu":
        return float((said.argmax(axis=1) == part.y).mean())
    return float(np.abs(said.ravel() - part.y).mean())


def corrected_interval(scores: Sequence[float], share: float, confidence: float = 0.95) -> tuple[float, float]:
    """Interval of the mean of folds' scores by Student's t; `share` is n_test / n_train of a fold.

    >>> lower, upper = corrected_interval([0.9, 0.8, 0.85, 0.95], 1 / 3)
    >>> round(lower, 4), round(upper, 4)
    (0.7181, 1.0319)
    """
    folds = len(scores)
    variance = (1 / folds + share) * float(np.var(scores, ddof=1))
    half = float(stdtrit(folds - 1, (1 + confidence) / 2)) * math.sqrt(variance)
    middle = float(np.mean(scores))
    return middle - half, middle + half
