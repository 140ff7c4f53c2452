"""What `veleta train` publishes: every file against Keras, the data and the contract."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import keras
import numpy as np
import onnx
import pytest

from models.manifest import VARIANTS, Manifest
from models.store import Published
from monitoring.accuracy.calibration import Calibration
from monitoring.reference import read_reference, read_samples
from monitoring.signals.measure import Batch
from tests.training.runs import SMALL, Run
from training.data.parts import Split
from training.data.sources import load
from training.onnx.answers import answer
from training.publishing.evaluate import confusion_matrix
from training.recipe import default_recipe, read_recipe

pytestmark = pytest.mark.training


@pytest.fixture(scope="module")
def split(published: Published) -> Split:
    recipe = read_recipe(default_recipe("digits"), SMALL).recipe
    return load("digits").split(recipe.seed, recipe.max_rows)


@pytest.fixture(scope="module")
def network(published: Published) -> Any:
    """Loaded back as the contract says."""
    model = keras.models.model_from_json(published.file("model.json").read_text())
    model.load_weights(published.file("model.h5"))
    return model


def test_folder_is_whole(published: Published) -> None:
    published.verify()
    expected = {"manifest.json", *VARIANTS.values(), "model.json", "model.h5", "reference.npz", "card.html"}
    assert {path.name for path in published.folder.iterdir()} == expected


def test_manifest(published: Published) -> None:
    manifest = published.manifest
    assert (manifest.name, manifest.version, manifest.task) == ("digits", 1, "classification")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", manifest.created)
    assert (manifest.input.name, manifest.input.dtype, manifest.input.kind) == ("image", "float32", "image")
    assert (manifest.input.shape, manifest.input.range) == ((None, 28, 28, 1), (0.0, 255.0))
    assert manifest.classes == tuple("0123456789")
    assert [variant.name for variant in manifest.variants] == list(VARIANTS)
    assert manifest.files.keys() == {"model.json", "model.h5", "reference.npz", "card.html"}
    assert manifest.variant().published


def test_manifest_says_how_the_version_came_to_be(published: Published, split: Split) -> None:
    training = published.manifest.training
    assert training.recipe == {"name": "digits.toml"} | read_recipe(default_recipe("digits"), SMALL).recipe.to_dict()
    assert training.dataset.rows == split.rows()
    assert training.dataset.sha256 == load("digits").sha256
    assert training.packages.keys() == {"keras", "tensorflow", "onnx", "onnxruntime", "numpy"}
    assert training.git_commit is None or re.fullmatch("[0-9a-f]{40}", training.git_commit)
    assert training.parent_version is None
    assert {verdict.kind for verdict in training.verdicts} <= {"too-few-epochs"}, "of so short a training nothing else is to be said"


def test_network_is_the_founding_one(network: Any) -> None:
    served = [type(layer).__name__ for layer in network.layers]
    assert served == ["InputLayer", "Rescaling", "Conv2D", "Conv2D", "MaxPooling2D", "Dropout", "Flatten", "Dense", "Dropout", "Dense"]
    assert network.count_params() == 1_199_882


def test_architecture_names_no_class_of_ours(published: Published) -> None:
    text = published.file("model.json").read_text()
    assert "training" not in re.findall(r'"module": "([^"]*)"', text)
    assert set(re.findall(r'"registered_name": "([^"]*)"', text)) <= {""} | set(re.findall(r'"class_name": "([^"]*)"', text))
    assert "veleta" not in text


def test_fp32_answers_as_the_network_that_keras_loads(published: Published, network: Any, split: Split) -> None:
    expected = np.asarray(network(split.test.x.astype(np.float32)))  # called plainly, as somebody else would
    found = answer(published.path("fp32"), split.test.x, 7)[0]
    assert np.abs(found - expected).max() < 1e-4
    assert np.array_equal(found.argmax(1), expected.argmax(1))


@pytest.mark.parametrize("variant", VARIANTS)
def test_accuracy_in_the_manifest_is_true_to_the_image(published: Published, split: Split, variant: str) -> None:
    metric = published.manifest.variant(variant).metrics["accuracy"]
    probabilities, embedding = answer(published.path(variant), split.test.x, 1)
    assert (probabilities.argmax(1) == split.test.y).mean() == metric.value
    assert metric.lower < metric.value < metric.upper
    assert metric.rows == len(split.test)
    assert metric.value > 0.8
    assert np.allclose(probabilities.sum(1), 1, atol=1e-5)
    assert len(np.unique(probabilities)) > len(probabilities), "the probabilities of int8 must not be rounded to 256 steps"
    assert (probabilities.dtype, embedding.dtype) == (np.dtype(np.float32), np.dtype(np.float32))


@pytest.mark.parametrize("variant", ["int8", "pruned-int8"])
def test_int8_is_static_qdq(published: Published, variant: str) -> None:
    graph = onnx.load(published.path(variant)).graph
    kinds = [node.op_type for node in graph.node]
    assert "QuantizeLinear" in kinds
    assert "DynamicQuantizeLinear" not in kinds
    eight_bit = {constant.name for constant in graph.initializer if constant.data_type == onnx.TensorProto.INT8}
    kernels = [node.input[0] for node in graph.node if node.op_type == "DequantizeLinear" and node.input[0] in eight_bit]
    assert len(kernels) == 3  # a convolution and two dense layers; the first convolution has a single channel


def test_variants_are_what_their_names_say(published: Published) -> None:
    variants = {variant.name: variant for variant in published.manifest.variants}
    assert variants["int8"].bytes < 0.35 * variants["fp32"].bytes
    assert variants["pruned"].parameters < 0.35 * variants["fp32"].parameters
    assert variants["pruned"].latency_seconds.batch["32"] < 0.7 * variants["fp32"].latency_seconds.batch["32"]
    for variant in variants.values():
        held = sum(np.prod(c.dims) for c in onnx.load(published.path(variant.name)).graph.initializer if len(c.dims) > 1)
        assert 0.9 * variant.parameters < held <= variant.parameters  # biases are not counted


@pytest.mark.parametrize("variant", VARIANTS)
def test_reference_is_the_variants_own_answers_to_the_test_rows(published: Published, split: Split, variant: str) -> None:
    reference = read_reference(published.file("reference.npz"), variant)
    batch = Batch(split.test.x.astype(np.float32), *answer(published.path(variant), split.test.x))
    counts = np.concatenate([profile.counts for profile in reference.profiles.values()])
    assert np.array_equal(reference.count(batch, published.manifest.input)["signals"], counts)
    assert reference.rows == len(split.test)


@pytest.mark.parametrize("variant", VARIANTS)
def test_calibration_was_fitted_on_the_validation_rows_and_the_test_rows_only_counted(
    published: Published, split: Split, variant: str
) -> None:
    calibration = read_reference(published.file("reference.npz"), variant).calibration
    answers = answer(published.path(variant), split.validation.x)[0]
    again = Calibration.fit(answers, split.validation.y, np.zeros((10, 10), dtype=np.int64))
    assert calibration is not None
    assert calibration.temperature == pytest.approx(again.temperature, rel=1e-4)
    assert calibration.threshold == pytest.approx(again.threshold, abs=1e-4)
    assert calibration.rows == len(split.validation)
    predicted = answer(published.path(variant), split.test.x)[0].argmax(axis=1)
    assert np.array_equal(calibration.confusion, confusion_matrix(split.test.y, predicted, 10))
    assert calibration.accuracy == published.manifest.variant(variant).metrics["accuracy"].value


def test_samples_are_the_test_rows(published: Published, split: Split) -> None:
    samples = read_samples(published.file("reference.npz"))
    assert samples.inputs.dtype == np.uint8
    assert np.array_equal(samples.inputs, split.test.x)
    assert np.array_equal(samples.labels, split.test.y)


def test_card_has_everything_and_loads_nothing(published: Published) -> None:
    page = published.file("card.html").read_text()
    for text in ("digits", "pruned-int8", "adadelta", "<svg", "Recall", published.manifest.training.dataset.sha256):
        assert text in page
    assert not re.search(r"<script|<link|<img|@import|url\(|https?://", page)


def test_json_result(trained: Run, result: dict[str, Any], published: Published) -> None:
    assert (result["name"], result["version"], result["live"]) == ("digits", 1, True)
    assert result["default_variant"] == published.manifest.default_variant
    assert Path(result["folder"]) == published.folder
    assert [variant["name"] for variant in result["variants"]] == list(VARIANTS)
    assert trained.out.count("\n") == 1


def test_stderr_has_only_our_lines(trained: Run) -> None:
    lines = trained.err.splitlines()
    assert [line for line in lines if not re.match(r"\[ *\d+\.\d s\] ", line)] == []
    assert sum("training: epoch" in line for line in lines) == 4


def test_manifest_is_read_back_as_written(published: Published) -> None:
    path = published.folder / "manifest.json"
    assert Manifest.read(path).to_json() == path.read_text()
