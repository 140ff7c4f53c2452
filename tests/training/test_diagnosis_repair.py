"""A remedy is kept only if it is proved better, the test rows are asked at the end, and the command writes the mended recipe."""

from __future__ import annotations

import dataclasses
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.stats import binomtest, ttest_rel, wilcoxon

from monitoring.arrays import FloatArray, IntArray
from training.data.parts import Part, Split
from training.data.sources import load
from training.diagnosis.attempt import diagnosed
from training.diagnosis.proof import compare_classes, compare_values, mcnemar
from training.diagnosis.remedies import more_validation, without_shared
from training.diagnosis.repair import Repairer
from training.errors import DivergedError
from training.fitting.progress import Progress
from training.recipe import read_recipe
from training.runs.record import Record
from training.train import train_and_diagnose
from veleta.__main__ import main

pytestmark = pytest.mark.training

#: Ten thousand times too slow for Adam, with units that would do.
SLOW = """
max_rows = 900
batch_size = 32
epochs = 6
optimizer = "adam"
learning_rate = 1e-7
max_shift_pixels = 0

[[layers]]
kind = "Flatten"

[[layers]]
kind = "Dense"
units = 32
activation = "relu"
"""


@pytest.mark.parametrize(("won", "lost"), [(0, 0), (5, 0), (30, 12), (3, 3), (2, 19)])
def test_mcnemar_is_the_binomial_test(won: int, lost: int) -> None:
    expected = binomtest(won, won + lost, 0.5).pvalue if won + lost else 1.0
    assert mcnemar(won, lost) == pytest.approx(expected)


def test_values_are_compared_by_their_squared_errors() -> None:
    rng = np.random.default_rng(0)
    y = rng.normal(size=80)
    bad, good = (y[:, None] + rng.normal(scale=scale, size=(80, 1)) for scale in (1.0, 0.5))
    proof = compare_values(bad, good, y)
    assert proof.p == pytest.approx(wilcoxon((bad[:, 0] - y) ** 2, (good[:, 0] - y) ** 2).pvalue)
    assert proof.better
    assert not compare_values(good, bad, y).better
    diverged = np.full((80, 1), np.nan)
    assert compare_values(diverged, good, y).better
    assert not compare_values(diverged, diverged, y).better
    assert compare_classes(np.full((9, 3), np.nan), np.eye(3)[np.zeros(9, int)], np.zeros(9)).better


def test_values_that_come_a_little_nearer_while_others_go_far_off_are_not_better() -> None:
    first = np.ones((100, 1))
    second = np.concatenate([np.full((60, 1), 0.99), np.full((40, 1), 5.0)])  # the mean absolute error grows from 1.0 to 2.6
    proof = compare_values(first, second, np.zeros(100))
    assert (proof.won, proof.lost, proof.p) == (60, 40, 1.0)
    assert not proof.better
    assert wilcoxon(first[:, 0] ** 2, second[:, 0] ** 2).pvalue < 0.05


def test_a_proof_says_what_it_was_taken_from() -> None:
    y = np.zeros(40, int)
    surer = np.tile([0.9, 0.1], (40, 1))
    unsure = np.tile([0.6, 0.4], (40, 1)) + np.linspace(-0.05, 0.05, 40)[:, None] * [1, -1]
    unsure[0] = [0.4, 0.6]  # one row won
    assert str(compare_classes(unsure, surer, y)).startswith("1 rows won, 0 lost, p = ")
    assert str(compare_classes(unsure, surer, y)).endswith(" by how sure the answers are: better")
    assert " by " not in str(compare_classes(np.eye(2)[1 - y], np.eye(2)[1 - y], y))


def network(rng: np.random.Generator, y: IntArray, sure: float) -> FloatArray:
    """Answers to the rows, the better the surer."""
    raw = rng.normal(size=(len(y), 10)) + sure * np.eye(10)[y]
    shares: FloatArray = np.exp(raw) / np.exp(raw).sum(axis=1, keepdims=True)
    return shares


@pytest.mark.parametrize("rows", [1, 2, 5])
def test_a_few_rows_prove_nothing_however_sure_the_answers_are(rows: int) -> None:
    y = np.zeros(rows, int)
    right, wrong = np.eye(2)[y] * 0.98 + 0.01, np.eye(2)[1 - y] * 0.98 + 0.01
    assert not compare_classes(wrong, right, y).better
    assert not compare_values(np.full((rows, 1), 9.0), np.ones((rows, 1)), np.ones(rows)).better


def test_classes_are_compared_by_rows_told_and_by_brier_scores() -> None:
    rng = np.random.default_rng(2)
    y = rng.integers(0, 10, 300)
    first, second = network(rng, y, 2.0), network(rng, y, 2.3)
    told = [answers.argmax(axis=1) == y for answers in (first, second)]
    brier = [((answers - np.eye(10)[y]) ** 2).sum(axis=1) for answers in (first, second)]
    won, lost = int((told[1] & ~told[0]).sum()), int((told[0] & ~told[1]).sum())
    expected = 2 * min(binomtest(won, won + lost, 0.5).pvalue, ttest_rel(*brier).pvalue)
    proof = compare_classes(first, second, y)
    assert (proof.won, proof.lost, proof.p) == (won, lost, pytest.approx(expected))
    assert not compare_classes(second, first, y).better


def test_alike_networks_are_seldom_told_apart_and_a_small_gain_more_often_than_by_rows_alone() -> None:
    rng = np.random.default_rng(3)
    y = rng.integers(0, 10, 300)
    alike = [compare_classes(network(rng, y, 2.0), network(rng, y, 2.0), y).p < 0.05 for _ in range(1000)]
    better = [compare_classes(network(rng, y, 2.0), network(rng, y, 2.2), y) for _ in range(300)]
    assert np.mean(alike) <= 0.065
    assert np.mean([proof.better for proof in better]) > 1.3 * np.mean([mcnemar(proof.won, proof.lost) < 0.05 for proof in better])


def test_surer_is_not_better_if_fewer_rows_are_told() -> None:
    y = np.zeros(200, int)
    first, second = np.tile([0.51, 0.49], (200, 1)), np.tile([0.99, 0.01], (200, 1))
    second[:2] = [0.4, 0.6]
    assert compare_classes(first, second, y).p > 0.5
    assert not compare_classes(first, second, y).better


def test_answers_that_are_no_probabilities_count_by_the_rows_they_tell() -> None:
    y = np.arange(40) % 2
    wild, right = 1e6 * (np.eye(2)[y] - 0.5), np.eye(2)[y]
    assert compare_classes(wild[:, ::-1], wild, y).better
    assert not compare_classes(right, wild, y).better


def test_parts_are_made_anew_without_losing_a_row() -> None:
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=(120, 3)).astype(np.float32), np.arange(120) % 3
    split = Split(Part(x[:100], y[:100]), Part(x[90:110], y[90:110]), Part(x[110:], y[110:]))
    mended = without_shared(split, seed=0)
    together = np.concatenate([mended.train.x, mended.validation.x])
    assert len(np.unique(together, axis=0)) == len(together) == 110
    assert len(mended.validation) == more_validation(mended, seed=0).validation.y.size >= 22


@pytest.fixture(scope="module")
def mended(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """What `veleta diagnose --json` came to with a learning rate that is far too low."""
    folder = tmp_path_factory.mktemp("diagnose")
    path, out = folder / "slow.toml", io.StringIO()
    path.write_text(SLOW, encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.stdout", out)
        assert main(["diagnose", str(path), "--rounds", "2", "--random", "--store", str(folder / "store"), "--json"]) == 0
    return path.with_suffix(".mended.toml"), json.loads(out.getvalue())


def test_the_cause_is_named_and_the_remedy_proved(mended: tuple[Path, dict[str, Any]]) -> None:
    arm = mended[1]["arms"]["remedy"]
    assert mended[1]["found"][0] == "learning-rate-too-low"
    first, second = arm["trials"][:2]
    assert (first["parent"], second["parent"]) == (None, 0)
    assert second["reason"] == "learning-rate-too-low"
    assert second["kept"]
    assert second["proof"]["p"] < 0.05
    assert arm["kept"][0] == 1
    assert arm["test"]["after"] > arm["test"]["before"] + 0.3


def test_the_random_arm_has_as_many_trials(mended: tuple[Path, dict[str, Any]]) -> None:
    arms = mended[1]["arms"]
    assert len(arms["random"]["trials"]) == len(arms["remedy"]["trials"])
    assert {trial["arm"] for trial in arms["random"]["trials"]} == {"start", "random"}


def test_the_record_knows_how_long_each_took(mended: tuple[Path, dict[str, Any]]) -> None:
    arms = mended[1]["arms"]
    runs = Record.of(mended[0].parent / "store").runs()[0][::-1]
    assert len(runs) == sum(len(arm["trials"]) for arm in arms.values())
    assert runs[0].seconds > 0.2  # the first one has to build its network, and none is recorded before it is over
    assert [run.started for run in runs] == sorted(run.started for run in runs)


def test_the_mended_recipe_can_be_trained_and_says_why(mended: tuple[Path, dict[str, Any]]) -> None:
    path, said = mended
    source = read_recipe(path)
    last = said["arms"]["remedy"]["trials"][said["arms"]["remedy"]["kept"][-1]]
    assert source.recipe.to_dict() == read_recipe().recipe.to_dict() | last["recipe"]
    assert source.recipe.learning_rate == pytest.approx(1e-3)
    assert source.reasons["learning_rate"].startswith("learning-rate-too-low: ")
    assert "p = " in source.reasons["learning_rate"]


def test_where_nothing_is_found_what_often_helps_is_tried(tmp_path: Path) -> None:
    path = tmp_path / "well.toml"
    path.write_text(SLOW, encoding="utf-8")
    recipe = read_recipe(path, ["learning_rate=0.003", "epochs=12"]).recipe
    dataset = load("digits")
    done = Repairer(dataset.problem, Progress(io.StringIO()), rounds=1).repair(recipe, dataset.split(0, 900))
    assert done.trials[0].found == ()
    assert (done.trials[1].change, done.trials[1].reason) == ("three times the epochs, at least ten", "")


def test_a_loss_that_is_no_number_ends_with_its_cause(tmp_path: Path) -> None:
    """A regression with steps so large that each makes the error larger."""
    path, stream = tmp_path / "wild.toml", io.StringIO()
    path.write_text(SLOW, encoding="utf-8")
    recipe = read_recipe(path, ["optimizer=sgd", "learning_rate=1000", "layers.1.activation=elu"]).recipe
    whole = load("digits").split(0, 600)
    ink = [Part(part.x, part.x.mean(axis=(1, 2, 3)).astype(np.float32)) for part in (whole.train, whole.validation, whole.test)]
    problem = dataclasses.replace(load("digits").problem, task="regression", classes=())
    with pytest.raises(DivergedError, match=r"the training diverged: With a learning rate of 1000 .* no number"):
        train_and_diagnose(recipe, problem, Split(*ink), Progress(stream), 0)
    assert "error: learning-rate-too-high" in stream.getvalue()


def test_an_error_is_said_as_soon_as_it_is_sure() -> None:
    """Weights that are all alike are told before the first epoch ends."""
    recipe = read_recipe(None, ["epochs=1", "max_rows=500"]).recipe
    layers = ({"kind": "Flatten"}, {"kind": "Dense", "units": 8, "activation": "relu", "kernel_initializer": "zeros"})
    dataset, stream = load("digits"), io.StringIO()
    changed = recipe.__class__(**{**recipe.__dict__, "layers": layers, "optimizer": "adam", "learning_rate": 0.001})
    made = diagnosed(changed, dataset.problem, dataset.split(0, 500), Progress(stream))
    said = stream.getvalue()
    assert made.ill[0].kind == "symmetric-weights"
    assert (made.ill[0].layer or "").startswith("dense")
    assert said.index("symmetric-weights") < said.index("epoch 1/1")
