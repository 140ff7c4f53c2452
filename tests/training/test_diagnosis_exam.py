"""Where validation rows are few, recipes are compared on further rows, each answered by a network that did not learn from it."""

from __future__ import annotations

import io

import numpy as np
import pytest

from models.manifest import Input
from training.data.parts import Part, Problem, Split
from training.diagnosis.exam import ENOUGH_ROWS, Exam, compare
from training.fitting.attempt import attempt
from training.fitting.progress import Progress
from training.recipe import Recipe, read_recipe

pytestmark = pytest.mark.training

CLASSES = ("no", "yes")
PROBLEM = Problem(Input("row", "float32", (None, 4), "tabular", (-9.0, 9.0)), "classification", CLASSES)


def rows(count: int, seed: int, noise: float = 0.0) -> Part:
    """Whether the first two of four numbers add up to more than nothing, which one in 1 / noise labels gets wrong."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(count, 4)).astype(np.float32)
    y = (x[:, 0] + x[:, 1] > 0) ^ (rng.random(count) < noise)
    return Part(x, y.astype(np.int64))


def exam(train: int, validation: int) -> Exam:
    return Exam(PROBLEM, Split(rows(train, 0), rows(validation, 1), rows(50, 2)), seed=3)


def recipe(*settings: str) -> Recipe:
    chosen = read_recipe(None, ["batch_size=16", "max_shift_pixels=0", "patience=50", *settings]).recipe
    layers = ({"kind": "Dense", "units": 8, "activation": "relu"},)
    return Recipe(**{**chosen.__dict__, "layers": layers, "optimizer": "adam", "learning_rate": 0.01, "optimizer_arguments": {}})


def keys(part: Part) -> set[bytes]:
    return {row.tobytes() for row in part.x}


@pytest.mark.parametrize(("train", "validation", "further"), [(900, 300, 0), (240, 80, 3), (100, 40, 2), (39, 40, 0), (900, 10, 5)])
def test_other_rows_take_turns(train: int, validation: int, further: int) -> None:
    given = exam(train, validation)
    whole = keys(given.split.train) | keys(given.split.validation)
    held = [given.split.validation, *(split.validation for split in given.further)]
    assert len(given.further) == further
    assert len(set().union(*map(keys, held))) == sum(map(len, held)) == validation * (1 + further)
    for split in given.further:
        assert len(split.train) == train
        assert keys(split.train) | keys(split.validation) == whole
        assert split.test is given.split.test
        assert abs(split.validation.y.mean() - given.split.train.y.mean()) < 1 / validation + 0.01  # stratified
    assert validation * further < ENOUGH_ROWS


def test_copies_of_a_row_stay_on_one_side() -> None:
    once = rows(100, 0)
    given = Exam(PROBLEM, Split(once.with_rows(once), rows(40, 1), rows(50, 2)), seed=3)
    assert given.further
    for split in given.further:
        assert not keys(split.train) & keys(split.validation)
        assert len(split.train) + len(split.validation) == 240


def test_each_row_is_answered_by_a_network_that_did_not_learn_from_it() -> None:
    given, well = exam(100, 50), recipe("epochs=20")
    made = attempt(well, PROBLEM, given.split, Progress(io.StringIO()))
    answers = given.answers(well, made, Progress(io.StringIO()), "training")
    assert answers.shape == (150, 2)
    for start, split in zip((0, 50, 100), (given.split, *given.further), strict=True):
        own = answers[start : start + 50]
        assert (own.argmax(axis=1) == split.validation.y).mean() > 0.8
        assert np.array_equal(own, given.given(made, split.validation)) == (split is given.split)


def test_a_network_that_diverged_answers_nothing() -> None:
    given = exam(39, 40)
    answers = given.answers(recipe(), None, Progress(io.StringIO()), "training")
    assert np.isnan(answers).all()
    assert given.compare(answers, np.eye(2)[given.split.validation.y]).better


def test_a_remedy_that_few_rows_cannot_prove_is_proved_by_more() -> None:
    given, progress = Exam(PROBLEM, Split(rows(120, 0, 0.05), rows(24, 1, 0.05), rows(50, 2)), seed=3), Progress(io.StringIO())
    short, longer = (recipe(f"epochs={epochs}") for epochs in (7, 14))
    before, after = (given.answers(one, attempt(one, PROBLEM, given.split, progress), progress, "training") for one in (short, longer))
    few = compare(PROBLEM, before[:24], after[:24], given.split.validation.y)
    more = given.compare(before, after)
    assert not few.better
    assert more.better
    assert more.won + more.lost > few.won + few.lost
