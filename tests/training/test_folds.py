"""Cross-validation: its interval against theory and simulation, and the command from folds to the card."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from tests.training.runs import SMALL, veleta_train
from training.data.sources import load
from training.fitting.folds import corrected_interval, cross_validate
from training.fitting.progress import Progress
from training.recipe import FOUNDING, read_recipe
from training.runs.record import Record

pytestmark = pytest.mark.training


def test_without_shared_rows_it_is_students_interval() -> None:
    scores = np.random.default_rng(0).normal(0.9, 0.05, 7)
    theirs = stats.t.interval(0.95, 6, loc=scores.mean(), scale=stats.sem(scores))
    assert corrected_interval(scores.tolist(), 0.0) == pytest.approx(theirs)


def test_of_random_splits_it_holds_the_truth_more_often_than_students() -> None:
    """Scores that share rows correlate. Here n_test / (n_test + n_train), the correlation that the correction supposes, is put in."""
    random, folds, share = np.random.default_rng(1), 5, 0.25
    correlation = share / (1 + share)
    held = {0.0: 0, share: 0}
    for _ in range(2000):
        scores = np.sqrt(correlation) * random.normal() + np.sqrt(1 - correlation) * random.normal(size=folds)
        for corrected in held:
            lower, upper = corrected_interval(scores.tolist(), corrected)
            held[corrected] += lower <= 0 <= upper
    assert held[share] / 2000 == pytest.approx(0.95, abs=0.015)
    assert held[0.0] / 2000 < 0.9


def test_folds_are_trained_afresh_and_the_same_again() -> None:
    recipe = read_recipe(FOUNDING, ["max_rows=200", "epochs=1"]).recipe
    first = cross_validate(recipe, load("digits"), 2, Progress())
    assert cross_validate(recipe, load("digits"), 2, Progress()) == first
    assert (first.metric, len(first.scores)) == ("accuracy", 2)
    assert 0 <= first.lower <= first.mean <= first.upper <= 1


def test_the_command_publishes_after_the_folds(tmp_path: Path) -> None:
    run = veleta_train(tmp_path / "store", "--json", "--folds", "2", "--set", *SMALL, "max_rows=300", "epochs=1", "prune_epochs=1")
    assert run.code == 0, run.err
    folds = json.loads(run.out)["folds"]
    assert len(folds["scores"]) == 2
    assert folds["mean"] == pytest.approx(np.mean(folds["scores"]))
    *fitted, training = Record.of(run.store.root).runs()[0]
    assert training.plan.kind == "train"
    assert training.result.facts["cross_validation"].startswith(f"2 folds: accuracy {folds['mean']:.4f}")
    for fold, value, what in zip(fitted[::-1], folds["scores"], ("fold 1 of 2", "fold 2 of 2"), strict=True):
        assert (fold.plan.kind, fold.plan.parent, fold.plan.change, fold.state) == ("fold", training.id, what, "done")
        assert fold.result.scores["test"]["accuracy"].value == pytest.approx(value)
        assert fold.plan.dataset.rows["test"] == fold.result.scores["test"]["accuracy"].rows == 120
        assert [fit.epochs for fit in fold.fits] == [1]
    card = (run.published.folder / "card.html").read_text(encoding="utf-8")
    assert "2 networks of this recipe, each fitted without one fold" in card
    assert f"scored on it: accuracy {folds['mean']:.4f}" in card


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--folds", "1"], "there are to be 1 folds, expected 2 to 50"),
        (["--target", "digit"], "digits is no table, so it has no column 'digit'; leave --target out"),
    ],
)
def test_wrong_arguments_are_told(tmp_path: Path, arguments: list[str], told: str) -> None:
    run = veleta_train(tmp_path / "store", *arguments)
    assert run.code == 1
    assert told in run.err
