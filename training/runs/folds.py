"""The folds of a cross-validation in the record: a run for each, below the training that asked for it.

What is held back of a fold are its test rows; those for early stopping, which the network was chosen by, are not worth a score.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np

from training.data.parts import Divided
from training.fitting.attempt import Attempt
from training.fitting.folds import fit_fold
from training.fitting.progress import Progress
from training.publishing.evaluate import judge_answers
from training.recipe import Recipe
from training.runs.outcome import fold_result
from training.runs.record import Record
from training.runs.run import Plan


@dataclass(frozen=True)
class FoldRuns:
    """Fits a fold as training.fitting.folds asks for it, and records it. `plan` is that of the training whose run is `parent`."""

    record: Record
    plan: Plan
    parent: int

    def __call__(self, recipe: Recipe, split: Divided, progress: Progress, what: str) -> Attempt:
        data = dataclasses.replace(self.plan.dataset, rows=split.rows())
        plan = dataclasses.replace(self.plan, kind="fold", dataset=data, parent=self.parent, change=what)
        with self.record.start(plan) as run:
            attempted = fit_fold(recipe, split, progress.heard_by(run), what)
            outputs = np.asarray(attempted.network.predict(split.test.x, batch_size=512, verbose=0))
            judged = judge_answers(split.test, len(split.problem.classes), outputs, outputs)
            run.finish(fold_result(judged, split, attempted.network.count_params()))
        return attempted
