"""The benchmark of accuracy for size: what it counts is right, the recipes keep to their size, and its short form runs through."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import keras
import pytest

from benchmarks.size import __main__ as benchmark
from benchmarks.size import run
from benchmarks.size.entries import BASELINE, BASELINES, ENTRIES, Entry
from benchmarks.size.run import Outcome
from benchmarks.size.table import Line, to_text
from training.data.parts import DataSet
from training.recipe import Recipe

pytestmark = pytest.mark.training
GOAL = Entry("fashion_15k", 15_000, 0.92, "89 % with 14,900")


def outcome(seed: int, accuracy: float, parameters: int = 14_000, processor_seconds: float = 960.0) -> Outcome:
    return Outcome(
        seed,
        accuracy,
        int8_accuracy=accuracy - 0.001,
        validation=0.9,
        epochs=20,
        test_rows=10_000,
        parameters=parameters,
        multiplications=1_500_000,
        kibibytes=60.0,
        int8_kibibytes=20.0,
        seconds=900.0,
        processor_seconds=processor_seconds,
        cores=2,
        load=(1.0, 1.0),
    )


def test_multiplications_of_one_image() -> None:
    inputs = keras.Input((28, 28, 1))
    x = keras.layers.Conv2D(16, 3, strides=2, padding="same")(inputs)  # 14 × 14 places, 3 × 3 × 1 × 16
    x = keras.layers.DepthwiseConv2D(3)(x)  # 12 × 12 places, 3 × 3 for each of 16
    x = keras.layers.Dense(10)(keras.layers.GlobalAveragePooling2D()(x))
    assert run.multiplications(keras.Model(inputs, x)) == 196 * 144 + 144 * 144 + 160


def test_the_mean_of_the_seeds_decides() -> None:
    line = Line(GOAL, tuple(outcome(seed, accuracy) for seed, accuracy in enumerate((0.919, 0.921, 0.923))))
    assert line.accuracy == pytest.approx(0.921)
    assert line.interval == pytest.approx((0.921 - 0.00497, 0.921 + 0.00497), abs=1e-5)  # t of 2 degrees is 4.303, s / √3 is 0.00115
    assert line.minutes == pytest.approx(8)
    assert line.reached
    assert not Line(GOAL, (outcome(0, 0.9195),)).reached
    assert not Line(GOAL, (outcome(0, 0.93, parameters=15_001),)).reached
    assert not Line(GOAL, (outcome(0, 0.93, processor_seconds=1201.0),)).reached
    assert Line(BASELINE, (outcome(0, 0.93),)).reached is None
    text = to_text([line, Line(BASELINE, (outcome(0, 0.9),))])
    assert "92.10%  91.60% to 92.60%" in text
    assert "92.0%: reached" in text
    assert "90.00%          one seed" in text
    assert "seed 2: 92.30%, int8 92.20%" in text


@dataclass(frozen=True)
class NamedData:
    """A data set of which only the content matters."""

    sha256: str


class FakeRun:
    """Trains nothing and notes which seeds were asked for."""

    def __init__(self) -> None:
        self.seeds: list[int] = []

    def __call__(self, recipe: Recipe, dataset: DataSet) -> Outcome:
        self.seeds.append(recipe.seed)
        return outcome(recipe.seed, 0.9)


def test_a_training_is_kept_by_its_recipe_and_its_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake = FakeRun()
    monkeypatch.setattr(run, "CACHE", tmp_path)
    monkeypatch.setattr(run, "run", fake)
    data = cast(DataSet, NamedData("one"))
    recipes = [ENTRIES[0].recipe(seed=0), ENTRIES[0].recipe(seed=1), ENTRIES[1].recipe(seed=0), ENTRIES[0].recipe(seed=0)]
    assert run.kept(recipes[0], data) is None
    found = [run.outcome(recipe, data) for recipe in recipes]
    assert fake.seeds == [0, 1, 0]
    assert found[0] == found[3] == run.kept(recipes[0], data)
    assert run.kept(recipes[0], cast(DataSet, NamedData("another"))) is None


def test_the_short_form_runs_through(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert benchmark.main(["--short", "--data", "digits", "--json", str(tmp_path / "lines.json")]) == 0
    out, lines = capsys.readouterr().out, json.loads((tmp_path / "lines.json").read_text())
    assert [line["recipe"] for line in lines] == [entry.name for entry in (*ENTRIES, *BASELINES)]
    assert sum(line["parameters"] == lines[-1]["parameters"] for line in lines) == 2, "binary kernels are as many"
    for line, entry in zip(lines, ENTRIES, strict=False):
        assert line["parameters"] <= (entry.most_parameters or 0)
        assert f"{entry.goal:.1%}: NOT REACHED" in out  # 600 rows are too few
    assert all(0 < line["accuracy"] < 1 and 0 < line["int8_accuracy"] < 1 for line in lines)
