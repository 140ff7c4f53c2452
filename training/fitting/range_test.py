"""The learning-rate range test: raise the rate with every batch until the loss blows up, and look where it fell best.

Smith, "Cyclical learning rates for training neural networks" (WACV 2017, arXiv 1506.01186, section 3.3). The suggestion is the "valley":
two thirds along the longest falling subsequence of the smoothed loss, which depends less on chance than its steepest point. Half way,
as fastai takes it, was too little on a dense network for digits: 0.01 for SGD and 0.0004 for Adam, against 0.05 and 0.002.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from monitoring.arrays import FloatArray
from training.errors import TrainingError

LOWEST, HIGHEST, BATCHES = 1e-7, 10.0, 100
_SMOOTHING = 0.98
_BLOWN_UP = 4.0  # times the lowest smoothed loss
_FEWEST = 10


@dataclass(frozen=True)
class RangeTest:
    """The rate and the smoothed loss of each batch until it blew up, and the rate to take."""

    rates: FloatArray
    losses: FloatArray
    suggestion: float


def range_test(model: Any, x: Any, targets: FloatArray, batch_size: int, seed: int) -> RangeTest:
    """Test a compiled model, whose optimizer has a plain learning rate, on random batches of x (n, …) and targets (n, …).

    Its weights and what its optimizer remembers are as before afterwards. Raises TrainingError if the loss never falls.
    """
    optimizer, random = model.optimizer, np.random.default_rng(seed)
    weights, rate = model.get_weights(), float(optimizer.learning_rate)
    optimizer.build(model.trainable_variables)
    memory = [np.asarray(variable) for variable in optimizer.variables]
    rates = LOWEST * (HIGHEST / LOWEST) ** (np.arange(BATCHES) / (BATCHES - 1))
    losses: list[float] = []
    with np.errstate(all="ignore"):
        for now in rates:
            optimizer.learning_rate = float(now)
            rows = random.choice(len(x), min(batch_size, len(x)), replace=False)
            model.reset_metrics()  # else Keras gives the mean of all batches so far
            losses.append(float(model.train_on_batch(x[rows], targets[rows], return_dict=True)["loss"]))
            if not _goes_on(losses):
                break
    model.reset_metrics()
    model.set_weights(weights)
    for variable, value in zip(optimizer.variables, memory, strict=True):
        variable.assign(value)
    optimizer.learning_rate = rate
    smooth = smoothed(losses)
    return RangeTest(rates[: len(smooth)], smooth, valley(rates[: len(smooth)], smooth))


def smoothed(losses: list[float], beta: float = _SMOOTHING) -> FloatArray:
    """The exponential moving average, corrected for its start at 0 (Kingma & Ba 2015, section 3).

    >>> smoothed([1.0, 1.0, 4.0], beta=0.5).round(3).tolist()
    [1.0, 1.0, 2.714]
    """
    mean, means = 0.0, []
    for number, loss in enumerate(losses, start=1):
        mean = beta * mean + (1 - beta) * loss
        means.append(mean / (1 - beta**number))
    return np.array(means)


def valley(rates: FloatArray, losses: FloatArray) -> float:
    """The rate two thirds along the longest falling subsequence of the losses, but for the first tenth and the last five batches.

    Raises TrainingError if the loss does not fall.

    >>> valley(np.arange(40.0), np.r_[np.full(10, 5.0), np.linspace(5, 1, 20), np.full(10, 9.0)])
    20.0
    """
    kept = slice(len(losses) // 10, max(len(losses) - 5, 0))
    rates, losses = rates[kept], losses[kept]
    falling = longest_falling(losses)
    if len(falling) < _FEWEST // 2:
        raise TrainingError("the range test found no learning rate at which the loss falls; look at the data and the network")
    return float(rates[falling[0] + 2 * (falling[-1] - falling[0]) // 3])


def longest_falling(losses: FloatArray) -> list[int]:
    """The places of the longest strictly falling subsequence.

    >>> longest_falling(np.array([3.0, 5.0, 4.0, 4.5, 2.0]))
    [1, 2, 4]
    """
    lengths, before = np.ones(len(losses), dtype=int), np.full(len(losses), -1)
    for place in range(len(losses)):
        earlier = np.flatnonzero(losses[:place] > losses[place])
        if len(earlier):
            before[place] = earlier[np.argmax(lengths[earlier])]
            lengths[place] = lengths[before[place]] + 1
    path, place = [], int(np.argmax(lengths)) if len(losses) else -1
    while place >= 0:
        path.append(place)
        place = int(before[place])
    return path[::-1]


def _goes_on(losses: list[float]) -> bool:
    """Until the smoothed loss is no number, or a multiple of the lowest."""
    smooth = smoothed(losses)
    return math.isfinite(losses[-1]) and (len(losses) < _FEWEST or smooth[-1] < _BLOWN_UP * smooth.min())
