"""How much slower is a training that is looked at? The same fit with and without, in turn, in one process."""

from __future__ import annotations

import io
import statistics
import time
from collections.abc import Callable
from typing import Any

import keras
import numpy as np

from training.data.sources import load
from training.diagnosis.watch import FactsWatch
from training.fitting.attempt import attempt
from training.fitting.progress import Progress
from training.recipe import Recipe, default_recipe, read_recipe

EPOCHS = 6


class _Clock(keras.callbacks.Callback):  # type: ignore[misc]
    """The seconds of each epoch, validation and what else happens at its end included."""

    def __init__(self) -> None:
        super().__init__()
        self.ends: list[float] = []

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        if not self.ends:
            self.ends.append(time.perf_counter())

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self.ends.append(time.perf_counter())


class _Plain:
    """A watch that only looks at the clock."""

    model_class = keras.Model

    def __init__(self) -> None:
        self.clock = _Clock()

    def callbacks(self, network: Any, problem: Any, split: Any) -> list[Any]:
        return [self.clock]


class _Watched(FactsWatch):
    """The diagnosis, and a look at the clock after it."""

    def __init__(self, recipe: Recipe) -> None:
        super().__init__(recipe)
        self.clock = _Clock()

    def callbacks(self, network: Any, problem: Any, split: Any) -> list[Any]:
        return [*super().callbacks(network, problem, split), self.clock]


def overhead(say: Callable[[str], None], repeats: int) -> dict[str, float]:
    """The ratio of the median epochs (the first, which traces, left out) of the founding network on `digits`."""
    dataset = load("digits")
    recipe = read_recipe(default_recipe("digits"), [f"epochs={EPOCHS}"]).recipe
    split = dataset.split(recipe.seed, recipe.max_rows)
    seconds: dict[str, list[float]] = {"plain": [], "watched": []}
    whole: dict[str, list[float]] = {"plain": [], "watched": []}
    for _ in range(repeats):
        for name in seconds:
            watch: Any = _Plain() if name == "plain" else _Watched(recipe)
            started = time.perf_counter()
            attempt(recipe, dataset.problem, split, Progress(io.StringIO()), watch=watch)
            whole[name].append(time.perf_counter() - started)
            seconds[name] += np.diff(watch.clock.ends)[1:].tolist()
    ratio = statistics.median(seconds["watched"]) / statistics.median(seconds["plain"])
    total = statistics.median(whole["watched"]) / statistics.median(whole["plain"])
    for name, values in seconds.items():
        say(
            f"{name:<8} {statistics.median(values):.3f} s an epoch (median of {len(values)}), {statistics.median(whole[name]):.1f} s in all"
        )
    say(f"watched by plain: {ratio:.3f} an epoch, {total:.3f} in all with what is traced once and judged once")
    return {"epoch": ratio, "all": total}
