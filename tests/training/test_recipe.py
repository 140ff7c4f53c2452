"""Recipes: what a file and --set may say, and the sentence for what they may not."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from training.errors import RecipeError
from training.recipe import FOUNDING, default_recipe, read_recipe

pytestmark = pytest.mark.training


def test_founding_recipe_is_the_founding_network() -> None:
    recipe = read_recipe().recipe
    assert (recipe.batch_size, recipe.optimizer, recipe.learning_rate) == (128, "adadelta", 1.0)
    assert [layer["kind"] for layer in recipe.layers] == ["Conv2D", "Conv2D", "MaxPooling2D", "Dropout", "Flatten", "Dense", "Dropout"]


def test_data_may_have_a_recipe_of_its_own() -> None:
    assert default_recipe("digits").name == "digits.toml"
    assert default_recipe("fashion-mnist").name == "fashion-mnist.toml"
    assert {default_recipe(data) for data in ("mnist", "./digits", "../recipes/digits", "/tmp")} == {FOUNDING}
    assert default_recipe("houses.csv", "tabular", "regression").name == "regression.toml"
    assert default_recipe("visits.npz", "sequence").name == "lstm.toml"
    assert default_recipe("rows.npz", "tensor").name == "table.toml"
    assert default_recipe("rows.npz", "tensor", "regression").name == "regression.toml"
    assert default_recipe("cubes.npz", "tensor", axes=3).name == "dense.toml"


@pytest.mark.parametrize("data", ["digits", "fashion-mnist"])
def test_data_of_their_own_keep_the_founding_network(data: str) -> None:
    own, founding = (read_recipe(path).recipe.to_dict() for path in (default_recipe(data), None))
    differing = {key for key in own if own[key] != founding[key]}
    lengths = {"epochs", "max_updates", "patience", "prune_epochs", "prune_max_updates"}
    assert differing <= lengths | {"learning_rate", "schedule", "max_shift_pixels"}
    assert own["patience"] >= own["epochs"]  # a schedule that is cut off never comes to its low rates


def test_every_value_of_the_founding_recipe_has_a_reason() -> None:
    source = read_recipe()
    assert source.reasons.keys() == source.recipe.to_dict().keys() - {"layers"}


def test_a_recipe_says_only_where_it_differs(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text('epochs = 3  # in a hurry\n[[layers]]\nkind = "Flatten"\n')
    source = read_recipe(path, ["batch_size=16"])
    assert (source.recipe.epochs, source.recipe.batch_size, source.recipe.patience) == (3, 16, read_recipe().recipe.patience)
    assert source.recipe.layers == ({"kind": "Flatten"},)
    assert source.reasons["epochs"] == "in a hurry"
    assert source.reasons["batch_size"] == "set on the command line"
    assert source.name == "mine.toml"


def test_a_layer_can_be_set() -> None:
    before = read_recipe().recipe.layers
    number = next(i for i, layer in enumerate(before) if layer["kind"] == "Conv2D")
    after = read_recipe(None, [f"layers.{number}.filters=8"]).recipe.layers
    assert after[number] == before[number] | {"filters": 8}


def test_tables_of_arguments_can_be_set(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(
        'optimizer = "sgd"\noptimizer_arguments = { momentum = 0.9 }  # as usual\n'
        '[[layers]]\nkind = "Residual"\nlayers = [{ kind = "Dense", units = 4 }]\n'
    )
    settings = [
        "optimizer_arguments.nesterov=true",
        "schedule_arguments.at=[0.3, 0.6]",
        "layers.0.layers.0.units=8",
        "layers.0.layers.0.kernel_regularizer.l2=0.01",
    ]
    source = read_recipe(path, settings)
    assert source.recipe.optimizer_arguments == {"momentum": 0.9, "nesterov": True}
    assert source.recipe.schedule_arguments == {"at": [0.3, 0.6]}
    assert source.recipe.layers[0]["layers"] == [{"kind": "Dense", "units": 8, "kernel_regularizer": {"l2": 0.01}}]
    assert source.reasons["optimizer_arguments"] == "as usual"
    assert read_recipe().recipe.optimizer_arguments == {}


def test_a_base_stands_for_the_founding_layers(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text('base = "digits/1"\n[[layers]]\nkind = "Dense"\nunits = 8\n')
    assert read_recipe(None, ["base=digits/1"]).recipe.layers == ()
    assert [layer["kind"] for layer in read_recipe(path).recipe.layers] == ["Dense"]


def test_what_was_measured_has_that_as_its_reason() -> None:
    source = read_recipe().found("found by trying", batch_size=64)
    assert (source.recipe.batch_size, source.reasons["batch_size"]) == (64, "found by trying")
    assert source.reasons["epochs"] == read_recipe().reasons["epochs"]


READY = sorted(path for path in FOUNDING.parent.glob("*.toml"))


@pytest.mark.parametrize("path", READY, ids=lambda path: path.stem)
def test_every_ready_recipe_says_why(path: Path) -> None:
    source = read_recipe(path)
    head = path.read_text().partition("[[layers]]")[0]
    keys = {line.split(" = ")[0] for line in head.splitlines() if " = " in line and not line.startswith("#")}
    assert keys <= source.reasons.keys()
    assert all(source.reasons[key] in head for key in keys)


def test_recipe_goes_into_json_and_back() -> None:
    recipe = read_recipe().recipe
    assert json.loads(json.dumps(recipe.to_dict())) == recipe.to_dict()


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("epochs=0", ["epochs", "0", "1 to"]),
        ("batch_size=-1", ["batch_size", "-1"]),
        ("epochs=many", ["epochs", "'many'", "whole number"]),
        ("epochs=true", ["epochs", "True", "whole number"]),
        ("epochs=2.5", ["epochs", "2.5", "whole number"]),
        ("optimizer=3", ["optimizer", "3", "a text"]),
        ("optimizer_arguments=0.9", ["optimizer_arguments", "0.9", "a table"]),
        ("optimizer_argument.momentum=0.9", ["optimizer_argument.momentum", "optimizer_arguments"]),
        ("epochs.most=3", ["epochs.most"]),
        ("schedule=cosinus", ["schedule", "'cosinus'", "one-cycle"]),
        ("class_weights=yes", ["class_weights", "'yes'", "balanced"]),
        ("precision=float16", ["precision", "'float16'", "mixed_bfloat16"]),
        ("normalization=z", ["normalization", "'z'", "standardize"]),
        ("warmup=1.5", ["warmup", "1.5"]),
        ("label_smoothing=1", ["label_smoothing", "0.99"]),
        ("max_zoom=-0.1", ["max_zoom", "-0.1"]),
        ("flip=vertical", ["flip", "'vertical'", "horizontal"]),
        ("learning_rate=nan", ["learning_rate", "nan"]),
        ("prune_keep=1.5", ["prune_keep", "1.5"]),
        ("epoch=3", ["'epoch'", "epochs"]),
        ("layers.99.filters=3", ["layers.99.filters"]),
        ("layers=3", ["layers", "[[layers]]"]),
        ("epochs", ["'epochs'", "key=value"]),
        ("=3", ["key=value"]),
    ],
)
def test_a_wrong_setting_is_named(setting: str, words: list[str]) -> None:
    with pytest.raises(RecipeError) as raised:
        read_recipe(None, [setting])
    assert all(word in str(raised.value) for word in words), raised.value


@pytest.mark.parametrize(
    ("content", "word"),
    [
        (b"epochs = ", "TOML"),
        (b"\xff\xfe", "not text"),
        (b"epoch = 3", "'epoch'"),
        (b"[[layers]]\nfilters = 3", "kind"),
        (b"layers = 3", "layers"),
    ],
)
def test_a_wrong_file_is_named(tmp_path: Path, content: bytes, word: str) -> None:
    path = tmp_path / "wrong.toml"
    path.write_bytes(content)
    with pytest.raises(RecipeError, match=word):
        read_recipe(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=r"none\.toml cannot be read: No such file"):
        read_recipe(tmp_path / "none.toml")
