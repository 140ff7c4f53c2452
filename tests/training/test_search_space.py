"""The space of a search, and a recipe as TOML: no training."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import optuna
import pytest

from training.errors import SearchError
from training.recipe import FOUNDING, Source, changed, read_recipe, read_space
from training.recipe_text import to_toml, to_value
from training.search.space import Choice, Range, has_at_most, parse_space
from training.search.study import grid_points

pytestmark = pytest.mark.training
SPACE = """
learning_rate = {low = 0.001, high = 1.0, log = true}
batch_size = {low = 16, high = 64, step = 16}
max_shift_pixels = {low = 0, high = 3}
optimizer = {values = ["adam", "sgd"]}
"layers.5.units" = {values = [16, 32]}
layers.3.rate = {low = 0.0, high = 0.5, step = 0.25}
"""


def space_of(text: str, source: Source | None = None) -> Any:
    return parse_space(tomllib.loads(text), source or read_recipe())


def test_every_kind_of_dimension_is_sampled_within_its_bounds() -> None:
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    space, source = space_of(SPACE), read_recipe()
    for _ in range(50):
        trial = study.ask()
        values = {dimension.key: dimension.suggest(trial) for dimension in space}
        recipe = changed(source, values, "drawn").recipe
        assert 0.001 <= recipe.learning_rate <= 1
        assert recipe.batch_size in (16, 32, 48, 64)
        assert recipe.max_shift_pixels in (0, 1, 2, 3)
        assert recipe.optimizer in ("adam", "sgd")
        assert recipe.layers[5]["units"] in (16, 32)
        assert recipe.layers[3]["rate"] in (0.0, 0.25, 0.5)
    assert source.recipe == read_recipe().recipe  # the layers of the first recipe were not touched


def test_a_grid_has_every_point() -> None:
    space = space_of(
        'epochs = {low = 1, high = 5, step = 2}\nlearning_rate = {low = 0.1, high = 0.3, step = 0.1}\noptimizer = {values = ["sgd"]}'
    )
    assert [dimension.grid() for dimension in space] == [[1, 3, 5], pytest.approx([0.1, 0.2, 0.3]), ["sgd"]]
    assert grid_points(space) == 9


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "has no space to search"),
        ("learning_rat = {values = [1.0]}", "'learning_rat' holds 1.0, which is no recipe: a recipe has no key 'learning_rat'"),
        ('"layers.9.units" = {values = [1]}', "the recipe has no 'layers.9.units'"),
        ("learning_rate = {low = 0.1, high = 5000.0}", "holds 5000.0, which is no recipe: learning_rate is 5000.0"),
        ("epochs = {low = 0.5, high = 2.5}", "holds 0.5, which is no recipe: epochs is 0.5, expected a whole number"),
        ("learning_rate = 0.1", "the space of 'learning_rate' is 0.1; write {low"),
        ("learning_rate = {low = 0.1}", "write {low"),
        ("learning_rate = {low = 0.1, high = 1.0, steps = 3}", "write {low"),
        ("learning_rate = {low = 1.0, high = 0.1}", "goes from 1.0 to 0.1"),
        ("max_shift_pixels = {low = 0, high = 3, log = true}", "low has to be above 0"),
        ("learning_rate = {low = 0.1, high = 1.0, log = true, step = 0.1}", "there is no step"),
        ("learning_rate = {low = 0.1, high = 1.0, step = 2.0}", "step of 'learning_rate' is 2.0"),
        ("learning_rate = {low = nan, high = 1.0}", "low of 'learning_rate' is nan"),
        ("learning_rate = {low = 0.1, high = true}", "high of 'learning_rate' is True"),
        ('learning_rate = {low = 0.1, high = 1.0, log = "yes"}', "log of 'learning_rate' is 'yes'"),
        ("optimizer = {values = []}", "expected a list"),
        ("epochs = {values = [1, 1]}", "one of them is there twice"),
        ("seed = {values = [1, 2]}", "'seed' cannot be searched"),
    ],
)
def test_a_bad_space_is_one_sentence(text: str, words: str) -> None:
    with pytest.raises(SearchError) as caught:
        space_of(text)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("learning_rate = {low = 0.1, high = 1.0}", "has no step, which a grid needs"),
        ("learning_rate = {low = 0.1, high = 1.0, step = 0.0001}", "at most 1,000"),
        ("max_updates = {low = 1, high = 900, step = 1}\nmax_shift_pixels = {low = 0, high = 900, step = 1}", "at most 100,000"),
    ],
)
def test_a_grid_that_cannot_be(text: str, words: str) -> None:
    with pytest.raises(SearchError, match=words):
        grid_points(space_of(text))


def test_a_recipe_is_trained_whether_or_not_it_has_a_space(tmp_path: Path) -> None:
    path = tmp_path / "searched.toml"
    path.write_text("epochs = 3 # few\n[search]\nepochs = {low = 1, high = 9} # many\n")
    source = read_recipe(path)
    assert (source.recipe.epochs, source.reasons["epochs"]) == (3, "few")
    assert read_space(path) == {"epochs": {"low": 1, "high": 9}}
    assert read_space(FOUNDING) == {}


@pytest.mark.parametrize("path", sorted(FOUNDING.parent.glob("*.toml")), ids=lambda path: path.stem)
def test_a_recipe_written_is_the_recipe_read(path: Path, tmp_path: Path) -> None:
    source = read_recipe(path, ["learning_rate=1e-7", 'layers.0.kernel_initializer=odd "name" # 1'])
    text = to_toml(source)
    assert text.count("# set on the command line") == 2
    (tmp_path / "written.toml").write_text(text, encoding="utf-8")
    again = read_recipe(tmp_path / "written.toml")
    assert again.recipe == source.recipe
    assert again.reasons == {key: reason for key, reason in source.reasons.items() if "." not in key}


@pytest.mark.parametrize(
    "value", [1, -2.5, 1e-12, 1e22, True, "", 'quote " and \\ and \t and \x7f', [[1, 2], []], {"a b": {"c": "ü"}}, float("inf")]
)
def test_values_are_read_as_they_were_written(value: Any) -> None:
    assert tomllib.loads(f"key = {to_value(value)}")["key"] == value


def test_of_a_few_points_each_is_tried_once() -> None:
    few = (Choice("optimizer", ("adam", "sgd")), Choice("batch_size", (16, 32, 64)))
    assert has_at_most(6, few)
    assert not has_at_most(5, few)
    assert not has_at_most(1000, (*few, Range("epochs", 1, 3, None, log=False)))
