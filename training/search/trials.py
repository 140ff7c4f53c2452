"""Trials: each is one attempt, judged on the validation rows, recorded as a run, and given up when it promises nothing."""

from __future__ import annotations

import gc
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import keras
import optuna

from models.manifest import Dataset
from training.data.parts import Problem, Split
from training.diagnosis.diagnose import diagnose
from training.diagnosis.facts import Data, Facts
from training.diagnosis.watch import FactsWatch
from training.errors import PrunedError
from training.fitting.attempt import Attempt, attempt
from training.fitting.progress import Progress
from training.recipe import Recipe, Source, changed
from training.runs.outcome import validation_result
from training.runs.record import Record
from training.runs.run import Plan, Result
from training.runs.running import Running
from training.search.space import Dimension, words
from training.search.stopping import STOPS, Stop
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
    _rows: list[Data] = field(default_factory=list)

    def __call__(self, trial: optuna.Trial) -> float:
        """Train a trial. Raises TrialPruned if it was given up, TrainingError if it cannot be trained."""
        values = {dimension.key: dimension.suggest(trial) for dimension in self.space}
        source = changed(self.source, values, f"trial {trial.number} of a search")
        plan = Plan("trial", self.name, source.name, source.recipe.to_dict(), source.reasons, self.dataset, self.parent, words(values))
        try:
            with self.record.start(plan) as run:
                trial.set_user_attr(RUN, run.folder)
                tried = self._attempt(source.recipe, trial, run)
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

    def _attempt(self, recipe: Recipe, trial: optuna.Trial, run: Running) -> Attempt:
        """The diagnosis looks on; what it finds goes to the run, also of a trial that is given up."""
        judge = Judge(trial, self.stops, self.problem)
        watch = FactsWatch(recipe, judge.look, self._rows[0] if self._rows else None)
        try:
            return attempt(recipe, self.problem, self.split, self.progress.heard_by(run, judge), f"trial {trial.number}", watch)
        finally:
            if watch.facts is not None:
                self._rows[:] = [watch.facts.data]
                run.verdicts(finding.verdict() for finding in diagnose(watch.facts))

    def _judge(self, tried: Attempt) -> tuple[float, Result]:
        history, parameters = tried.history, tried.network.count_params()
        loss = history.validation_loss[history.best]
        if self.problem.task == "regression":
            return loss, Result(parameters=parameters, facts={"validation_loss": loss})
        probabilities = tried.network.predict(self.split.validation.x, batch_size=512, verbose=0)
        result = validation_result(probabilities, self.split.validation, self.problem.classes, parameters, validation_loss=loss)
        return result.scores["validation"]["accuracy"].value, result


class Judge:
    """A listener that gives a trial up: for a reason that the facts have, or because others did better at this point.

    The facts come first (`look`), then the figures of the same epoch.
    """

    def __init__(self, trial: optuna.Trial, stops: Sequence[Stop], problem: Problem) -> None:
        self._trial, self._stops, self._figure = trial, stops, measure(problem)
        self._facts: Facts | None = None
        self._epochs = 0

    def look(self, facts: Facts) -> None:
        """What the watch has gathered up to now."""
        self._facts = facts

    def epoch(self, what: str, epoch: int, figures: Mapping[str, float]) -> None:
        if reason := self._reason():
            raise PrunedError(reason)
        self._trial.report(figures[self._figure], self._epochs)
        self._epochs += 1
        if self._trial.should_prune():
            raise PrunedError(f"others did better after {self._epochs} epoch{'s' if self._epochs > 1 else ''}")

    def _reason(self) -> str | None:
        if self._facts is None:
            return None
        return next((reason for stop in self._stops if (reason := stop(self._facts))), None)


def measure(problem: Problem) -> str:
    """The figure that a trial is judged by."""
    return "val_loss" if problem.task == "regression" else "val_accuracy"
