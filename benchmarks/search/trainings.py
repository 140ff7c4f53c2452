"""Trials trained to their end, once: how they went epoch by epoch, and how long that took."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import keras
import optuna

from training.data.parts import Problem, Split
from training.diagnosis.facts import Data, Facts
from training.diagnosis.watch import FactsWatch
from training.errors import TrainingError
from training.fitting.attempt import attempt
from training.fitting.progress import Progress
from training.recipe import Recipe, Source, changed
from training.search.space import parse_space, words

SPACE = {
    "learning_rate": {"low": 1e-4, "high": 10.0, "log": True},
    "optimizer": {"values": ["sgd", "adam", "rmsprop"]},
    "batch_size": {"values": [16, 32, 64, 128]},
    "layers.1.units": {"low": 8, "high": 128, "step": 8},
    "layers.1.activation": {"values": ["relu", "tanh", "sigmoid"]},
    "layers.2.rate": {"low": 0.0, "high": 0.8, "step": 0.1},
}
LAYERS = ({"kind": "Flatten"}, {"kind": "Dense", "units": 32, "activation": "relu"}, {"kind": "Dropout", "rate": 0.2})


@dataclass(frozen=True)
class Training:
    """How a trial went: the figures of each epoch, and what the diagnosis knew then (no facts of a training that was not looked at).

    `plain` and `watched` are the seconds of the processor that each epoch took without and with the diagnosis looking on. The first
    epoch's hold the building of the network, the last one's what comes after the fit.
    """

    what: str
    figures: list[dict[str, float]]
    plain: list[float]
    watched: list[float]
    facts: list[Facts] = field(default_factory=list)
    failed: bool = False

    @property
    def value(self) -> float:
        """Validation accuracy at the epoch of the lowest validation loss; 0 of a training that came to nothing."""
        return 0.0 if self.failed else min(self.figures, key=lambda figures: figures["val_loss"])["val_accuracy"]


class _Clock:
    """A listener that keeps what it hears and how long each epoch took."""

    def __init__(self) -> None:
        self.figures: list[dict[str, float]] = []
        self.facts: list[Facts] = []
        self.seconds: list[float] = []
        self.failed = False
        self._last: Facts | None = None
        self._since = time.process_time()

    def look(self, facts: Facts) -> None:
        self._last = facts

    def epoch(self, what: str, epoch: int, figures: Mapping[str, float]) -> None:
        self.figures.append(dict(figures))
        self.facts += [self._last] if self._last else []
        self.seconds.append(self._passed())

    def done(self, failed: bool) -> None:
        self.failed = failed
        self.seconds[-1] += self._passed()

    def _passed(self) -> float:
        before, self._since = self._since, time.process_time()
        return self._since - before


def train_all(
    source: Source, problem: Problem, split: Split, trials: int, seed: int, progress: Progress, say: Callable[[str], None]
) -> list[Training]:
    """So many trials drawn at random, each trained to its end, alone and looked at as in a search. Before the first of them it is trained
    once more: TensorFlow starts up in that.
    """
    space = parse_space(SPACE, source)
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=seed))
    done: list[Training] = []
    known: Data | None = None
    for number in range(trials):
        trial = study.ask()
        values = {dimension.key: dimension.suggest(trial) for dimension in space}
        recipe = changed(source, values, "drawn").recipe
        if not number:
            _train(recipe, problem, split, progress, None)
        plain = _train(recipe, problem, split, progress, None)
        clock = _Clock()
        watched = _train(recipe, problem, split, progress, FactsWatch(recipe, clock.look, known), clock)
        known = watched.facts[-1].data
        done.append(Training(words(values), watched.figures, plain.seconds, watched.seconds, watched.facts, watched.failed))
        say(f"{number + 1}/{trials}: {done[-1].value:.4f} after {sum(plain.seconds):.1f} s, {done[-1].what}")
    return done


def _train(
    recipe: Recipe, problem: Problem, split: Split, progress: Progress, watch: FactsWatch | None, clock: _Clock | None = None
) -> _Clock:
    clock, failed = clock or _Clock(), False
    try:
        attempt(recipe, problem, split, progress.heard_by(clock), watch=watch)
    except TrainingError:
        failed = True
    clock.done(failed)
    keras.utils.clear_session()
    return clock
