"""`veleta import`: networks that others trained, in the forms in which they come, answer on the shelf as they did before."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from PIL import Image

from models.manifest import VARIANTS
from models.store import Published, Store
from monitoring.reference import read_reference
from tests.training.brought import QUICK, Brought, asked, fitted, made_in, quickly, torch_like
from tests.training.runs import veleta
from training.data.parts import Part, Problem
from training.data.rows import taken
from training.errors import NetworkError
from training.importing.door import Door, find_door
from training.importing.keras_network import KerasNetwork
from training.onnx.answers import answer
from training.onnx.emit import emit
from training.runs.record import Record
from veleta.__main__ import main

# Keras asks for arrays as NumPy 2 no longer has it, where it writes files.
pytestmark = [pytest.mark.training, pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")]
L = keras.layers


@pytest.fixture(scope="module")
def brought(tmp_path_factory: pytest.TempPathFactory) -> Brought:
    return made_in(tmp_path_factory.mktemp("brought"))


@pytest.fixture(scope="module")
def published(brought: Brought, tmp_path_factory: pytest.TempPathFactory) -> Published:
    """Brought by the command, as a .keras file."""
    store, file = tmp_path_factory.mktemp("shelf"), brought.folder / "mine.keras"
    brought.network.save(file)
    done = veleta(store, "import", str(file), "--name", "mine", "--reference", str(brought.reference), "--json", "--set", *QUICK)
    assert done.code == 0, done.err
    assert "pixels from 0 to 255 become 0 to 1 in front of it" in done.err
    told = json.loads(done.out)
    assert (told["name"], told["version"], told["live"]) == ("mine", 1, True)
    return Store(store).open("mine")


def test_a_version_is_whole(published: Published) -> None:
    published.verify()
    expected = {"manifest.json", *VARIANTS.values(), "model.json", "model.h5", "reference.npz", "card.html"}
    assert {path.name for path in published.folder.iterdir()} == expected
    manifest = published.manifest
    assert (manifest.input.name, manifest.input.shape, manifest.input.range) == ("image", (None, 28, 28, 1), (0.0, 255.0))
    assert manifest.classes == tuple("0123456789")
    assert manifest.variant("fp32").parameters == manifest.variant("int8").parameters > manifest.variant("pruned").parameters
    assert manifest.variant("fp32").metrics["accuracy"].value > 0.85
    recipe = manifest.training.recipe
    assert (recipe["base"], recipe["epochs"], recipe["layers"]) == ("mine.keras", 0, [])


def test_fp32_and_the_keras_files_answer_as_the_network_that_was_brought(published: Published, brought: Brought) -> None:
    expected = asked(brought.network, brought.x / np.float32(255))
    assert np.abs(answer(published.path("fp32"), brought.x)[0] - expected).max() < 1e-4
    again = keras.models.model_from_json(published.file("model.json").read_text())
    again.load_weights(published.file("model.h5"))
    assert np.abs(asked(again, brought.x.astype(np.float32)) - expected).max() < 1e-4
    assert not any(isinstance(layer, keras.Model) for layer in again.layers)


def test_the_reference_knows_the_last_layer(published: Published, brought: Brought) -> None:
    reference = read_reference(published.file("reference.npz"), "fp32")
    assert {"energy", "edges"} <= set(reference.profiles)
    head = reference.fitted.head
    assert head is not None
    assert np.array_equal(head.weights, brought.network.layers[-1].kernel)


def test_the_card_and_the_record_say_where_it_came_from(published: Published, brought: Brought) -> None:
    page = published.file("card.html").read_text()
    assert "The network as it came" in page
    assert "pixels from 0 to 255 become 0 to 1 in front of it" in page
    assert "The pruned network, fine-tuned" in page
    assert "Conv2D" in page
    (run,), damaged = Record.of(published.folder.parents[1]).runs()
    assert not damaged
    assert (run.plan.kind, run.plan.name, run.state, run.result.version) == ("import", "mine", "done", 1)
    assert "mine.keras sha256" in run.plan.reasons["base"]


def test_the_next_one_is_the_next_version(published: Published, brought: Brought, tmp_path: Path) -> None:
    store = published.folder.parents[1]
    again, _ = quickly([brought.folder / "mine.keras"], brought.reference, store, name="mine")
    assert (again.manifest.version, again.manifest.training.parent_version, Store(store).live("mine")) == (2, 1, 1)


def flat() -> Any:
    return keras.Sequential([keras.Input((784,)), L.Dense(32, activation="relu"), L.Dense(10, activation="softmax")])


def test_layers_and_weights_apart_flat_and_with_floats_as_reference(brought: Brought, tmp_path: Path) -> None:
    """As the oldest tutorials have it: x.reshape(-1, 784) / 255."""
    network = fitted(flat(), brought.x.reshape(-1, 784) / np.float32(255), brought.y)
    (tmp_path / "model.json").write_text(network.to_json())
    network.save(tmp_path / "model.h5", include_optimizer=False)
    np.savez(tmp_path / "reference.npz", x_train=brought.x[:1000] / np.float32(255), y_train=brought.y[:1000])

    made, said = quickly([tmp_path / "model.json", tmp_path / "model.h5"], tmp_path / "reference.npz", tmp_path / "store")

    assert "pixels from 0 to 255 become 0 to 1" in said
    assert made.manifest.input.shape == (None, 28, 28, 1)
    expected = asked(network, brought.x.reshape(-1, 784) / np.float32(255))
    assert np.abs(answer(made.path("fp32"), brought.x)[0] - expected).max() < 1e-4


@pytest.mark.parametrize("pixels", ["0..255", "0..1", "-1..1"])
def test_what_pixels_are_to_be_is_found(brought: Brought, pixels: str) -> None:
    """The same network behind a layer that undoes the scale."""
    undone = {"0..255": (1 / 255, 0.0), "0..1": (1.0, 0.0), "-1..1": (0.5, 0.5)}[pixels]
    network = keras.Sequential([keras.Input((28, 28, 1)), L.Rescaling(*undone), *brought.network.layers])
    found = door_of(network, brought)
    assert found.pixels == pixels


def door_of(network: Any, brought: Brought, takes: tuple[int | None, ...] | None = None) -> Door:
    problem = problem_of(brought.x, tuple("0123456789"))
    return find_door(lambda rows: asked(network, rows), takes or network.input_shape[1:], problem, Part(brought.x, brought.y), None).door


def test_usual_pixels_are_taken_unless_others_suit_surely_better() -> None:
    """A network that is a little less wrong with pixels that it did not learn from, as by chance."""
    rows = Part(np.random.default_rng(0).integers(0, 256, (400, 4, 4, 1), np.uint8), np.arange(400) % 2)
    problem = problem_of(rows.x, ("a", "b"))
    right = np.eye(2)[rows.y]

    def answering(more: float, turns: float) -> Any:
        """Sure by 0.8 with pixels from 0 to 1, and by so much more below 0, but for the share `turns` of the rows."""

        def ask(x: NDArray[Any]) -> NDArray[np.float32]:
            start = ask.place % 400  # type: ignore[attr-defined]  # rows come in their order
            ask.place += len(x)  # type: ignore[attr-defined]
            sure = 0.8 + more * (x.min() < 0) * np.where(np.arange(start, start + len(x)) % 100 < 100 * turns, -1, 1)
            sure = sure * (x.max() <= 1) + 0.5 * (x.max() > 1)
            return (right[start : start + len(x)] * (2 * sure[:, None] - 1) + 1 - sure[:, None]).astype(np.float32)

        ask.place = 0  # type: ignore[attr-defined]
        return ask

    assert find_door(answering(0.05, 0.45), (4, 4, 1), problem, rows, None).door.pixels == "0..1"
    assert find_door(answering(0.05, 0.0), (4, 4, 1), problem, rows, None).door.pixels == "-1..1"
    assert find_door(answering(0.05, 0.0), (4, 4, 1), problem, rows, "0..1").door.pixels == "0..1"


def problem_of(x: NDArray[Any], classes: tuple[str, ...], kind: Any = "image") -> Problem:
    return Problem(taken(kind, x), "classification" if classes else "regression", classes)


ZERO_OR_NOT: dict[str, Callable[[], tuple[Any, Any]]] = {
    "one probability": lambda: (L.Dense(1, activation="sigmoid"), "binary_crossentropy"),
    "one logit": lambda: (L.Dense(1), keras.losses.BinaryCrossentropy(from_logits=True)),
    "two logits": lambda: (L.Dense(2), keras.losses.SparseCategoricalCrossentropy(from_logits=True)),
    "two probabilities": lambda: (L.Dense(2, activation="softmax"), "sparse_categorical_crossentropy"),
}


@pytest.mark.parametrize("end", ZERO_OR_NOT)
def test_whatever_two_classes_are_told_by_both_have_a_probability(end: str, brought: Brought, tmp_path: Path) -> None:
    last, loss = ZERO_OR_NOT[end]()
    x, y = brought.x, (brought.y == 0).astype(np.int64)
    network = fitted(keras.Sequential([keras.Input((28, 28, 1)), L.Flatten(), L.Dense(8, "relu"), last]), x / np.float32(255), y, loss)
    network.save(tmp_path / "zero.keras")
    np.savez(tmp_path / "reference.npz", x=x[:1000], y=y[:1000], classes=["other", "zero"])

    made, _ = quickly([tmp_path / "zero.keras"], tmp_path / "reference.npz", tmp_path / "store")

    given = asked(network, x / np.float32(255)).astype(np.float64)
    if end == "two logits":
        expected = np.exp(given) / np.exp(given).sum(axis=1, keepdims=True)
    elif end == "two probabilities":
        expected = given
    else:
        zero = given if end == "one probability" else 1 / (1 + np.exp(-given))
        expected = np.concatenate([1 - zero, zero], axis=1)
    for variant, off in (("fp32", 1e-4), ("int8", 0.5)):
        found = answer(made.path(variant), x)[0]
        assert np.abs(found - expected).max() < off
        assert np.allclose(found.sum(axis=1), 1, atol=1e-5)
        assert len(np.unique(found)) > 300, "probabilities are not rounded"
    assert made.manifest.classes == ("other", "zero")


@pytest.mark.usefixtures("signals")
@pytest.mark.parametrize("form", ["keras", "onnx, channels first"])
def test_a_folder_of_images_becomes_what_the_network_takes(
    form: str, brought: Brought, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """As those have who train by keras.utils.image_dataset_from_directory: images of all sizes."""
    for place, (pixels, label) in enumerate(zip(brought.x[:600, :, :, 0], brought.y[:600], strict=True)):
        (tmp_path / "digits" / str(label)).mkdir(parents=True, exist_ok=True)
        image = Image.fromarray(pixels).resize((56, 56) if place % 2 else (84, 70), Image.Resampling.NEAREST)
        image.save(tmp_path / "digits" / str(label) / f"{place}.png")
    file = tmp_path / ("mine.keras" if form == "keras" else "mine.onnx")
    brought.network.save(file) if form == "keras" else onnx.save(torch_like(brought.network, 17), file)
    arguments = ["--name", "mine", "--reference", str(tmp_path / "digits"), "--store", str(tmp_path / "store"), "--set", *QUICK]
    assert main(["import", str(file), *arguments]) == 0
    assert "600 images of another size were resized to 28 × 28 pixels, as was said" in capsys.readouterr().err
    made = Store(tmp_path / "store").open("mine").manifest
    assert made.input.shape == (None, 28, 28, 1)
    assert made.variant("fp32").metrics["accuracy"].value > 0.8


def test_channels_first_and_one_axis_less_are_put_right(brought: Brought) -> None:
    first = keras.Sequential([keras.Input((1, 28, 28)), L.Permute((2, 3, 1)), *brought.network.layers])
    assert door_of(first, brought) == Door((1, 28, 28), (2, 0, 1), "0..1")
    less = keras.Sequential([keras.Input((28, 28)), L.Reshape((28, 28, 1)), *brought.network.layers])
    assert door_of(less, brought) == Door((28, 28), None, "0..1")
    any_size = keras.Sequential([keras.Input((None, None, 1)), L.Conv2D(4, 3), L.GlobalMaxPooling2D(), L.Dense(10, "softmax")])
    assert any_size.input_shape == (None, None, None, 1)
    with pytest.raises(NetworkError, match="it does not know this data"):
        door_of(any_size, brought)


@pytest.mark.parametrize("axes", ["channels first", "one axis less", "any size"])
def test_other_shapes_are_exported_behind_their_door(axes: str, brought: Brought, tmp_path: Path) -> None:
    before = {
        "channels first": [keras.Input((1, 28, 28)), L.Permute((2, 3, 1))],
        "one axis less": [keras.Input((28, 28)), L.Reshape((28, 28, 1))],
    }
    if axes == "any size":
        inputs = keras.Input((None, None, 1))
        x = L.GlobalMaxPooling2D()(L.Conv2D(16, 7, strides=2, activation="relu")(inputs))
        network = fitted(keras.Model(inputs, L.Dense(10, "softmax")(x)), brought.x / np.float32(255), brought.y)
    else:
        network = keras.Sequential([*before[axes], *brought.network.layers])
    network.save(tmp_path / "other.keras")
    opened = KerasNetwork([tmp_path / "other.keras"])
    problem = problem_of(brought.x, tuple("0123456789"))
    door = find_door(opened.ask, opened.takes, problem, Part(brought.x, brought.y), None).door
    onnx.save(emit(opened.behind(door, problem.input)), tmp_path / "other.onnx")
    expected = asked(network, door.rows(brought.x))
    assert np.abs(answer(tmp_path / "other.onnx", brought.x)[0] - expected).max() < 1e-4


def test_models_within_models_mixed_precision_and_frozen_layers(brought: Brought, tmp_path: Path) -> None:
    inputs = keras.Input((28, 28, 1))
    with_policy = keras.Sequential([L.Conv2D(8, 3, strides=2, activation="relu", dtype="mixed_float16"), L.Flatten()], name="trunk")
    x = with_policy(inputs)
    network = keras.Model(inputs, L.Dense(10, "softmax", dtype="float32")(L.Dense(16, "relu", dtype="mixed_float16")(x)))
    fitted(network, brought.x / np.float32(255), brought.y).get_layer("trunk").trainable = False
    network.save(tmp_path / "mixed.keras")
    made, _ = quickly([tmp_path / "mixed.keras"], brought.reference, tmp_path / "store")
    expected = asked(network, brought.x / np.float32(255))
    found = answer(made.path("fp32"), brought.x)[0]
    assert np.abs(found - expected).max() < 0.02, "float16 has three digits"
    assert made.manifest.variant("fp32").metrics["accuracy"].value > 0.85


def test_arithmetic_inside_and_classes_told_by_a_convolution(brought: Brought, tmp_path: Path) -> None:
    """As in the networks of Keras that learn from others: x / 127.5 - 1, and no Dense."""
    inputs = keras.Input((28, 28, 1))
    x = L.Conv2D(16, 5, strides=2, activation="relu")(keras.applications.mobilenet_v2.preprocess_input(inputs))
    x = L.Conv2D(32, 3, strides=2, activation="relu")(x)
    network = keras.Model(inputs, L.Softmax()(L.Flatten()(L.Conv2D(10, 5)(x))))
    fitted(network, brought.x.astype(np.float32), brought.y).save(tmp_path / "own.keras")
    made, said = quickly([tmp_path / "own.keras"], brought.reference, tmp_path / "store")
    assert "with pixels 0..255 its log loss is" in said
    assert np.abs(answer(made.path("fp32"), brought.x)[0] - asked(network, brought.x.astype(np.float32))).max() < 1e-4
    assert made.manifest.variant("pruned").parameters < 0.5 * made.manifest.variant("fp32").parameters
    again = keras.models.model_from_json(made.file("model.json").read_text())
    again.load_weights(made.file("model.h5"))
    assert np.abs(asked(again, brought.x.astype(np.float32)) - asked(network, brought.x.astype(np.float32))).max() < 1e-4


def test_tokens_and_values(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    words, rows = random.integers(0, 30, (900, 7)), random.normal(size=(900, 5)).astype(np.float32)
    most, total = (words < 12).sum(axis=1) > 3, (rows[:, 0] * 3 + rows[:, 1]).astype(np.float32)
    reader = keras.Sequential(
        [keras.Input((7,), dtype="int32"), L.Embedding(30, 8), L.Flatten(), L.Dense(8, "relu"), L.Dense(2, "softmax")]
    )
    fitted(reader, words, most.astype(int), epochs=30).save(tmp_path / "words.keras")
    np.savez(tmp_path / "words.npz", x=words, y=most.astype(int))
    made, _ = quickly([tmp_path / "words.keras"], tmp_path / "words.npz", tmp_path / "store")
    assert made.manifest.input.kind == "sequence"
    assert np.abs(answer(made.path("fp32"), words)[0] - asked(reader, words)).max() < 1e-4

    values = keras.Sequential([keras.Input((5,)), L.Dense(16, "relu"), L.Dense(1)])
    fitted(values, rows, total, "mse").save(tmp_path / "values.h5")
    np.savez(tmp_path / "values.npz", x=rows, y=total)
    made, _ = quickly([tmp_path / "values.h5"], tmp_path / "values.npz", tmp_path / "store", name="values")
    assert made.manifest.task == "regression"
    assert np.abs(answer(made.path("fp32"), rows)[0] - asked(values, rows)).max() < 1e-4


def test_a_network_that_does_not_know_the_data_is_refused(brought: Brought, tmp_path: Path) -> None:
    brought.network.save(tmp_path / "mine.keras")
    np.savez(tmp_path / "other.npz", x=brought.x, y=(brought.y + 1) % 10)
    with pytest.raises(NetworkError, match=r"tells \d+\.\d% of 448 rows of the reference, .* would be chance: it does not know this data"):
        quickly([tmp_path / "mine.keras"], tmp_path / "other.npz", tmp_path / "store")
    assert Record.of(tmp_path / "store").read(1).state == "failed"


@pytest.mark.parametrize(
    ("network", "told"),
    [
        (
            lambda: keras.Sequential([keras.Input((28, 28, 1)), L.Flatten(), L.Dense(7, "softmax")]),
            "answers 7 numbers a row, and .* 10 classes",
        ),
        (lambda: keras.Sequential([keras.Input((28, 28, 1)), L.Flatten(), L.Dense(10, "sigmoid")]), "shares a row that do not sum to 1"),
        (lambda: keras.Sequential([keras.Input((28, 28, 1)), L.Dense(10, "softmax")]), "answers 28 × 28 × 10 numbers a row"),
        (lambda: keras.Sequential([keras.Input((32, 32, 3)), L.Flatten(), L.Dense(10)]), "takes rows of shape 32 × 32 × 3, .* 28 × 28 × 1"),
        (
            lambda: keras.Sequential([keras.Input((28, 28, 1)), L.Lambda(lambda x: x + 1), L.Flatten(), L.Dense(10)]),
            "Lambda .*, which is not run",
        ),
        (lambda: keras.Model(two := [keras.Input((4,)), keras.Input((4,))], L.Dense(10)(L.Add()(two))), "one input and one output"),
    ],
)
def test_a_network_that_cannot_be_served_is_told(network: Callable[[], Any], told: str, brought: Brought, tmp_path: Path) -> None:
    network().save(tmp_path / "other.keras")
    with pytest.raises(NetworkError, match=told):
        quickly([tmp_path / "other.keras"], brought.reference, tmp_path / "store")
    assert Store(tmp_path / "store").names() == []


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["none.keras"], "there is no file none.keras"),
        (["model.json"], "has the layers but not their weights; give model.h5 as well"),
        (["model.json", "model.json"], "not one network"),
        (["words.txt"], "words.txt is not one network; give a .keras file"),
        (["."], "is a folder"),
        (["words.keras"], "words.keras cannot be read as a Keras model"),
        (["words.onnx"], "words.onnx cannot be read as an ONNX model"),
        (["words.keras", "--set", "epochs=3"], "an import trains nothing but what is pruned"),
        (["words.keras", "--set", "layers.0.units=3"], "an import trains nothing but what is pruned"),
        (["words.keras", "--reference", "none.npz"], "there is no data set and no folder 'none.npz'"),
        (["words.keras", "--reference", "table.csv"], "is a table; give a .npz file"),
        (["words.keras", "--pixels", "0..1", "--reference", "rows.npz"], "and the reference has no images"),
        (["words.keras", "--name", "No Name"], "'No Name'"),
    ],
)
@pytest.mark.usefixtures("signals")
def test_bad_input_is_one_sentence(
    arguments: list[str], told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("model.json", "words.txt", "words.keras", "words.onnx"):
        Path(name).write_text("{}")
    Path("table.csv").write_text("a,b\n" + "1,x\n2,y\n" * 20)
    np.savez("rows.npz", x=np.random.default_rng(0).normal(size=(60, 3)), y=np.arange(60) % 3)
    more = [*([] if "--name" in arguments else ["--name", "mine"]), *([] if "--reference" in arguments else ["--reference", "digits"])]
    assert main(["import", "--store", "store", *arguments, *more]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert told in err.splitlines()[-1]
    assert err.splitlines()[-1].startswith("veleta: ")
    assert "Traceback" not in err
    assert Store(tmp_path / "store").names() == []
