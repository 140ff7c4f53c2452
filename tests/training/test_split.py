"""Splits of classes and of values, copies across the parts, and folds against scikit-learn's promises."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.model_selection import StratifiedKFold

from training.data.duplicates import Duplicates, duplicates
from training.data.frame import Frame
from training.data.parts import DataSet, Part, Split
from training.data.split import fold_numbers, strata, stratified
from training.data.twins import expected_pairs, groups, row_hashes
from training.errors import DataError

pytestmark = pytest.mark.training

RANDOM = np.random.default_rng(0)


def vectors(rows: int, classes: int = 2, width: int = 4) -> DataSet:
    x = RANDOM.normal(size=(rows, width)).astype(np.float32)
    return DataSet("made", "", tuple("abcdefgh"[:classes]), Part(x, np.arange(rows) % classes), kind="tensor")


def values(rows: int) -> DataSet:
    x = RANDOM.normal(size=(rows, 3)).astype(np.float32)
    return DataSet("made", "", (), Part(x, RANDOM.exponential(size=rows).astype(np.float32)), kind="tensor")


def test_values_are_stratified_by_their_quantiles() -> None:
    whole = values(1000)
    split = whole.split(seed=1)
    edges = np.quantile(whole.rest.y, np.arange(1, 10) / 10)
    for part, each in ((split.train, 64), (split.validation, 16), (split.test, 20)):
        assert np.abs(np.bincount(np.searchsorted(edges, part.y), minlength=10) - each).max() <= 1
    assert split.problem.task == "regression"
    drawn = whole.rest.draw(100, seed=0).y
    assert np.abs(np.bincount(np.searchsorted(edges, drawn), minlength=10) - 10).max() <= 1


def test_values_that_mostly_tie_can_be_split() -> None:
    y = np.where(np.arange(200) % 10, 0.0, np.arange(200)).astype(np.float32)
    assert len(np.unique(strata(y))) >= 2
    split = DataSet("made", "", (), Part(RANDOM.normal(size=(200, 2)), y), kind="tensor").split(seed=0)
    assert split.rows() == {"train": 128, "validation": 32, "test": 40}


@given(st.lists(st.integers(2, 30), min_size=2, max_size=8), st.integers(0, 5))
@settings(max_examples=50)
def test_small_classes_get_a_row_where_there_are_enough(counts: list[int], seed: int) -> None:
    labels = np.repeat(np.arange(len(counts)), counts)
    rows = max(len(counts), len(labels) // 5)
    rest, drawn = stratified(labels, rows, seed)
    assert sorted([*rest, *drawn]) == list(range(len(labels)))
    assert len(drawn) == rows
    assert set(labels[drawn]) == set(range(len(counts)))


@pytest.mark.parametrize(("rows", "missing"), [(1, "training|validation|test"), (2, "validation|training")])
def test_a_class_with_too_few_rows_is_told(rows: int, missing: str) -> None:
    whole = vectors(60)
    y = np.zeros(60, dtype=np.int64)
    y[:rows] = 1
    with pytest.raises(DataError, match=rf"the class 'b' of made has no ({missing}) rows; every class needs rows for"):
        DataSet("made", "", ("a", "b"), Part(whole.rest.x, y), kind="tensor").split(seed=0)
    y[:4] = 1
    split = DataSet("made", "", ("a", "b"), Part(whole.rest.x, y), kind="tensor").split(seed=0)
    assert all((part.y == 1).any() for part in (split.train, split.validation, split.test))


def test_an_official_test_part_without_a_class_is_told() -> None:
    whole = vectors(60)
    test = Part(whole.rest.x[:10] + 9, np.zeros(10, dtype=np.int64))
    with pytest.raises(DataError, match="the class 'b' of made has no test rows"):
        DataSet("made", "", whole.classes, whole.rest, test, kind="tensor").split(seed=0)


def test_a_regression_of_a_few_rows_is_told() -> None:
    with pytest.raises(DataError, match="made has 1 validation rows for a regression"):
        values(7).split(seed=0)


def with_copies(copies: int) -> DataSet:
    """Rows, of which the first are there twice, the second time with the other label."""
    whole = vectors(300).rest
    first = whole.take(np.arange(copies))
    return DataSet("made", "", ("a", "b"), whole.with_rows(Part(first.x, 1 - first.y)), kind="tensor")


def test_copies_are_moved_to_the_training_part() -> None:
    whole = with_copies(60)
    split = whole.split(seed=0)
    found = duplicates(split)
    assert (found.validation, found.test, found.contradictory) == (0, 0, 120)
    assert sum(split.rows().values()) == 360
    assert len(split.test) < 72
    moved = 72 - len(split.test)
    assert f"and {moved} of the test rows went to the training part" in split.notes[0]
    assert found.sentences() == ["120 rows equal another row that has another label; look at the labels"]
    for fold in whole.folds(4, seed=0):
        assert not np.isin(row_hashes(fold.test.x), row_hashes(np.concatenate([fold.train.x, fold.validation.x]))).any()


def test_copies_in_an_official_test_part_stay_and_are_told() -> None:
    whole = vectors(200)
    test = whole.rest.take(np.arange(30))
    split = DataSet("made", "", whole.classes, whole.rest, test, kind="tensor").split(seed=0)
    assert np.array_equal(split.test.x, test.x)
    assert duplicates(split) == Duplicates(0, 30, 0)
    assert "30 test rows one of either" in duplicates(split).sentences()[0]


def test_rows_that_chance_makes_equal_stay() -> None:
    x = RANDOM.integers(0, 3, (400, 3)).astype(np.float64)
    names = ("one", "two", "three")
    frame = Frame(names, (None, None, None))
    split = DataSet("made", "", ("a", "b"), Part(x, np.arange(400) % 2), kind="tabular", frame=frame).split(seed=0)
    assert split.rows() == {"train": 256, "validation": 64, "test": 80}
    assert not split.notes
    assert duplicates(split).test == 80


def test_expected_pairs_are_those_of_chance() -> None:
    made = [RANDOM.integers(0, 5, (200, 4)) for _ in range(200)]
    pairs = [sum(count * (count - 1) / 2 for count in np.unique(groups(x), return_counts=True)[1]) for x in made]
    expected = [expected_pairs(x) for x in made]
    assert np.mean(expected) == pytest.approx(np.mean(pairs), rel=0.05)


def test_no_rows_are_equal_to_nothing() -> None:
    assert groups(np.zeros((0, 5))).tolist() == []
    assert len(row_hashes(np.zeros((0, 28, 28, 1), np.uint8))) == 0


def test_equal_rows_are_found_whatever_they_are() -> None:
    missing = np.array([[0.0, np.nan], [-0.0, -np.nan], [0.0, 1.0]])
    assert groups(missing).tolist() == [0, 0, 2]
    pictures: NDArray[np.uint8] = RANDOM.integers(0, 256, (50, 5, 5, 1), np.uint8)
    assert groups(np.concatenate([pictures, pictures])).tolist() == [*range(50), *range(50)]
    one = Part(pictures, np.zeros(50, dtype=np.int64))
    assert duplicates(Split(one, one, one.take(np.arange(3)))) == Duplicates(50, 3, 0)


@pytest.mark.parametrize("folds", [2, 3, 5, 10])
def test_folds_are_as_stratified_as_those_of_scikit_learn(folds: int) -> None:
    labels = RANDOM.choice(3, 203, p=[0.7, 0.2, 0.1])
    numbers = fold_numbers(labels, folds, seed=4)
    ours = np.array([np.bincount(labels[numbers == fold], minlength=3) for fold in range(folds)])
    theirs = np.array([np.bincount(labels[held], minlength=3) for _, held in StratifiedKFold(folds).split(labels, labels)])
    assert np.ptp(ours, axis=0).max() <= np.ptp(theirs, axis=0).max() <= 1
    assert np.ptp(ours.sum(axis=1)) <= 1
    assert not np.array_equal(numbers, fold_numbers(labels, folds, seed=5))


def test_folds_hold_every_row_to_learn_from_once() -> None:
    whole = vectors(200, classes=3)
    split, folds = whole.split(seed=2), whole.folds(5, seed=2)
    known = {bytes(row) for part in (split.train, split.validation) for row in part.x}
    held = [bytes(row) for fold in folds for row in fold.test.x]
    assert set(held) == known
    assert len(held) == len(known) == 160
    assert [fold.rows() for fold in folds] == [{"train": 102, "validation": 26, "test": 32}] * 5
    for fold in folds:
        assert known == {bytes(row) for part in (fold.train, fold.validation, fold.test) for row in part.x}


def test_folds_of_a_table_learn_their_columns_without_the_fold() -> None:
    table = {"number": RANDOM.normal(size=100), "kind": np.array([f"kind {n}" for n in range(50)] * 2)}
    frame, x = Frame.of(table)
    folds = DataSet("made", "", ("a", "b"), Part(x, np.arange(100) % 2), kind="tabular", frame=frame).folds(5, seed=0)
    for fold in folds:
        assert fold.columns is not None
        assert fold.train.x[:, 1:].any(axis=0).all()
        assert fold.problem.input.shape == (None, len(fold.columns.features))
    assert len({fold.problem.input.shape for fold in folds}) > 1


def test_too_many_folds_are_told() -> None:
    y = np.zeros(60, dtype=np.int64)
    y[:8] = 1
    whole = DataSet("made", "", ("a", "b"), Part(vectors(60).rest.x, y), kind="tensor")
    with pytest.raises(DataError, match=r"made has \d rows of the class 'b' to learn from, too few for 10 folds; give fewer folds"):
        whole.folds(10, seed=0)
