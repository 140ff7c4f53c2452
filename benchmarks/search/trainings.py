"""Trials trained to their end, once: how they went epoch by epoch, and how long that took."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import keras
import optuna

from training.data.parts import Problem, Split
from training.errors import TrainingError
from training.fitting.attempt import attempt
from training.fitting.progress import Progress
from training.recipe import Source, changed
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


@dataclass
class Training:
    """What a listener heard: figures and seconds of each epoch. The first epoch's hold the building of the network."""

    what: str
    figures: list[dict[str, float]] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    failed: bool = False
    _since: float = field(default_factory=time.perf_counter)

    def epoch(self, what: str, epoch: int, figures: Mapping[str, float]) -> None:
        now = time.perf_counter()
        self.figures.append(dict(figures))
        self.seconds.append(now - self._since)
        self._since = now

    @property
    def value(self) -> float:
        """Validation accuracy at the epoch of the lowest validation loss; 0 of a training that came to nothing."""
        return 0.0 if self.failed else min(self.figures, key=lambda figures: figures["val_loss"])["val_accuracy"]


def train_all(
    source: Source, problem: Problem, split: Split, trials: int, seed: int, progress: Progress, say: Callable[[str], None]
) -> list[Training]:
    """So many trials drawn at random, each trained to its end. The first is trained twice: TensorFlow starts up in the other."""
    space = parse_space(SPACE, source)
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=seed))
    done: list[Training] = []
    for number in range(trials):
        trial = study.ask()
        values = {dimension.key: dimension.suggest(trial) for dimension in space}
        recipe = changed(source, values, "drawn").recipe
        for _ in range(1 if number else 2):
            training = Training(words(values))
            try:
                attempt(recipe, problem, split, progress.heard_by(training))
            except TrainingError:
                training.failed = True
            keras.utils.clear_session()
        done.append(training)
        say(f"{number + 1}/{trials}: {training.value:.4f} after {sum(training.seconds):.1f} s, {training.what}")
    return done
