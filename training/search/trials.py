"""Trials: each is one attempt, judged on the validation rows, recorded as a run, and given up when it promises nothing."""

from __future__ import annotations

import gc
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import keras
import optuna

from models.manifest import Dataset
from training.data.parts import Problem, Split
from training.errors import PrunedError
from training.fitting.attempt import Attempt, attempt
from training.fitting.progress import Progress
from training.recipe import Source, changed
from training.runs.outcome import validation_result
from training.runs.record import Record
from training.runs.run import Plan, Result
from training.search.space import Dimension, words
from training.search.stopping import STOPS, Facts, Stop
from training.search.study import RUN


@dataclass(frozen=True)
class Searching:
    """What all trials of a process have in common. `parent` is the run of the search."""

    source: Source
    space: tuple[Dimension, ...]
    problem: Problem
    split: Split
    dataset: Dataset
    name: str
    record: Record
    parent: int
    progress: Progress
    stops: tuple[Stop, ...] = STOPS

    def __call__(self, trial: optuna.Trial) -> float:
        """Train a trial. Raises TrialPruned if it was given up, TrainingError if it cannot be trained."""
        values = {dimension.key: dimension.suggest(trial) for dimension in self.space}
        source = changed(self.source, values, f"trial {trial.number} of a search")
        plan = Plan("trial", self.name, source.name, source.recipe.to_dict(), source.reasons, self.dataset, self.parent, words(values))
        try:
            with self.record.start(plan) as run:
                trial.set_user_attr(RUN, run.folder)
                heard = self.progress.heard_by(run, Judge(trial, self.stops, self.problem))
                tried = attempt(source.recipe, self.problem, self.split, heard, f"trial {trial.number}")
                value, result = self._judge(tried)
                run.finish(result)
        except PrunedError as error:
            trial.set_user_attr("reason", str(error))
            self.progress.say(f"trial {trial.number} given up, {error}: {words(values)}")
            raise optuna.TrialPruned(str(error)) from error
        finally:
            keras.utils.clear_session(free_memory=False)
            gc.collect()
        self.progress.say(f"trial {trial.number}: validation {value:.4f} with {words(values)}")
        return value

    def _judge(self, tried: Attempt) -> tuple[float, Result]:
        history, parameters = tried.history, tried.network.count_params()
        loss = history.validation_loss[history.best]
        if self.problem.task == "regression":
            return loss, Result(parameters=parameters, facts={"validation_loss": loss})
        probabilities = tried.network.predict(self.split.validation.x, batch_size=512, verbose=0)
        result = validation_result(probabilities, self.split.validation, self.problem.classes, parameters, validation_loss=loss)
        return result.scores["validation"]["accuracy"].value, result


class Judge:
    """A listener that gives a trial up: for a reason, or because others did better at this point."""

    def __init__(self, trial: optuna.Trial, stops: Sequence[Stop], problem: Problem) -> None:
        self._trial, self._stops, self._figure = trial, stops, measure(problem)
        self._chance = math.log(len(problem.classes)) if problem.task == "classification" else None
        self._curves: dict[str, list[float]] = {}
        self._epochs = 0

    def epoch(self, what: str, epoch: int, figures: Mapping[str, float]) -> None:
        for name, value in figures.items():
            curve = self._curves.setdefault(name, [])
            curve += [float("nan")] * (self._epochs - len(curve)) + [value]
        facts = Facts(self._epochs, self._curves, self._chance)
        self._epochs += 1
        for stop in self._stops:
            if reason := stop(facts):
                raise PrunedError(reason)
        self._trial.report(figures[self._figure], facts.epoch)
        if self._trial.should_prune():
            raise PrunedError(f"others did better after {self._epochs} epoch{'s' if self._epochs > 1 else ''}")


def measure(problem: Problem) -> str:
    """The figure that a trial is judged by."""
    return "val_loss" if problem.task == "regression" else "val_accuracy"
