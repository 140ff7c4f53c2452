"""What is measured before a training: the learning rate and the batch size."""

from __future__ import annotations

import dataclasses
import io
from collections.abc import Iterator

import keras
import numpy as np
import pytest

from monitoring.arrays import FloatArray
from tests.training.problems import IMAGE, with_layers
from training.data.parts import Split
from training.data.sources import load
from training.errors import TrainingError
from training.fitting.batch_size import knee
from training.fitting.find import found
from training.fitting.fit import one_hot
from training.fitting.learner import learner
from training.fitting.progress import Progress
from training.fitting.range_test import range_test, suggested
from training.networks.network import build
from training.recipe import Source

pytestmark = pytest.mark.training
DENSE = with_layers({"kind": "Flatten"}, {"kind": "Dense", "units": 32, "activation": "relu"}, optimizer="sgd", batch_size=32)


@pytest.fixture(scope="module")
def split() -> Split:
    return load("digits").split(seed=0, max_rows=1500)


@pytest.mark.parametrize(("optimizer", "lowest", "highest"), [("sgd", 0.01, 1.0), ("adam", 0.001, 0.1), ("adadelta", 0.3, 10.0)])
def test_the_range_test_finds_a_rate_that_learns(split: Split, optimizer: str, lowest: float, highest: float) -> None:
    keras.utils.set_random_seed(0)
    model = learner(build(DENSE, IMAGE), dataclasses.replace(DENSE, optimizer=optimizer, learning_rate=0.5), IMAGE, 10)
    before = model.get_weights()
    tested = range_test(model, split.train.x, one_hot(split.train.y, 10), 32, seed=0)
    assert lowest < tested.suggestion < highest
    assert np.allclose(np.diff(np.log(tested.rates)), np.log(1e10) / 124)
    assert all(np.array_equal(a, b) for a, b in zip(before, model.get_weights(), strict=True))
    assert float(model.optimizer.learning_rate) == pytest.approx(0.5)
    assert int(model.optimizer.iterations) == 0
    assert not any(np.asarray(memory).any() for memory in model.optimizer.variables[2:])


@pytest.mark.parametrize("losses", [np.arange(50.0), 2.3 + 0.01 * np.cos(np.arange(50.0)), np.ones(50), np.ones(3)])
def test_a_loss_that_never_falls_has_no_rate(losses: FloatArray) -> None:
    with pytest.raises(TrainingError, match="no learning rate"):
        suggested(np.arange(float(len(losses))), losses)


def test_a_little_fall_by_chance_before_the_real_one_changes_nothing() -> None:
    falls = np.r_[np.full(60, 2.3), np.linspace(2.3, 1.5, 31), np.full(9, 9.0)]
    chance = np.r_[np.linspace(0.01, 0.0, 60), np.zeros(40)]
    rates = 10.0 ** np.linspace(-7, 1, 100)
    assert suggested(rates, falls + chance) == pytest.approx(suggested(rates, falls), rel=0.2)  # one batch


def test_losses_below_zero_have_a_rate_as_well() -> None:
    falls = np.r_[np.full(60, -0.1), np.linspace(-0.1, -0.9, 31), np.full(9, 5.0)]
    rates = 10.0 ** np.linspace(-7, 1, 100)
    assert suggested(rates, falls) == suggested(rates, falls + 3)


def test_a_batch_that_memory_does_not_hold_ends_the_doubling() -> None:
    def rows_per_second(size: int) -> float:
        if size > 64:
            raise MemoryError
        return float(size)

    def sizes() -> Iterator[int]:
        yield from (16, 32, 64, 128, 256)

    assert knee(sizes(), rows_per_second) == (64, {16: 16.0, 32: 32.0, 64: 64.0})


def test_what_is_found_is_in_the_recipe_with_its_reason(split: Split) -> None:
    said = io.StringIO()
    source = found(Source(DENSE, "mine.toml", {}), ["batch_size", "learning_rate"], DENSE, IMAGE, split, Progress(said))
    assert source.recipe.batch_size in (16, 32, 64)  # 960 rows are to give ten updates
    assert 0.005 < source.recipe.learning_rate < 1
    assert "range test" in source.reasons["learning_rate"]
    assert "doubling" in source.reasons["batch_size"]
    assert f"batch_size = {source.recipe.batch_size}" in said.getvalue()
    assert dataclasses.replace(source.recipe, batch_size=32, learning_rate=DENSE.learning_rate) == DENSE
