"""Small real models on real data, built without TensorFlow in a second: logistic regression on scikit-learn's 8×8 digits and on iris."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from sklearn.datasets import load_digits, load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import confusion_matrix
from sklearn.model_selection import train_test_split

from models.manifest import FORMAT, VARIANTS, Dataset, Input, Latency, Manifest, Metric, Training, Variant, digest
from models.store import Published, Store
from monitoring.accuracy.calibration import Calibration
from monitoring.accuracy.wilson import wilson
from monitoring.reference import Reference, Samples, write_references
from monitoring.signals.columns import Columns
from monitoring.signals.energy import Head
from monitoring.signals.fourier import Fourier
from monitoring.signals.measure import Batch, Fitted
from monitoring.signals.space import Space


@dataclass(frozen=True)
class Data:
    """A real data set, split: inputs at the door (uint8 images or float rows) and class numbers."""

    taken: Input
    classes: tuple[str, ...]
    train_x: NDArray[Any]
    train_y: NDArray[Any]
    test_x: NDArray[Any]
    test_y: NDArray[Any]

    @property
    def validation(self) -> tuple[NDArray[Any], NDArray[Any]]:
        """The part of the training rows that is held back: inputs and class numbers."""
        return self.train_x[: len(self.train_x) // 4], self.train_y[: len(self.train_y) // 4]

    @property
    def fitted(self) -> tuple[NDArray[Any], NDArray[Any]]:
        """The part that is fitted on."""
        return self.train_x[len(self.train_x) // 4 :], self.train_y[len(self.train_y) // 4 :]


def small_digits() -> Data:
    found = load_digits()
    images = np.round(found.images * (255 / 16)).astype(np.uint8)[..., None]
    taken = Input("image", "float32", (None, 8, 8, 1), "image", (0.0, 255.0))
    return _split(taken, tuple("0123456789"), images, found.target)


def iris() -> Data:
    found = load_iris()
    taken = Input("flower", "float32", (None, 4), "tabular", (0.0, 10.0))
    return _split(taken, tuple(map(str, found.target_names)), found.data.astype(np.float32), found.target)


def _split(taken: Input, classes: tuple[str, ...], x: NDArray[Any], y: NDArray[Any]) -> Data:
    train_x, test_x, train_y, test_y = train_test_split(x, y, test_size=0.4, stratify=y, random_state=0)
    return Data(taken, classes, train_x, train_y, test_x, test_y)


def publish(
    store: Store, name: str, data: Data, folder: Path, regularization: float = 1.0, change: Callable[[onnx.ModelProto], None] | None = None
) -> Published:
    """Fit, export as fp32 and with weights rounded to 8 bits as int8, profile and publish, as training does.

    `change` spoils the graphs afterwards.
    """
    folder.mkdir(parents=True, exist_ok=True)
    scale = data.taken.range[1]
    x, y = data.fitted
    fitted = LogisticRegression(C=regularization, max_iter=2000).fit(x.reshape(len(x), -1) / scale, y)
    step = np.abs(fitted.coef_).max() / 127
    for variant, coefficients in (("fp32", fitted.coef_), ("int8", np.round(fitted.coef_ / step) * step)):
        onnx.save(_graph(data, coefficients, fitted.intercept_, scale), folder / VARIANTS[variant])
    answers = {v: _answers(folder / VARIANTS[v], data, data.test_x)[0] for v in ("fp32", "int8")}
    references = {v: _reference(folder / VARIANTS[v], data) for v in answers}
    write_references(folder / "reference.npz", references, Samples(data.test_x, data.test_y))
    for variant in answers if change else ():
        graph = onnx.load(folder / VARIANTS[variant])
        change(graph)
        onnx.save(graph, folder / VARIANTS[variant])
    (folder / "model.json").write_text(json.dumps({"coefficients": fitted.coef_.tolist()}), encoding="utf-8")
    (folder / "card.html").write_text("<!doctype html><title>card</title>", encoding="utf-8")
    return store.publish(name, folder, lambda version: _manifest(name, version, data, folder, answers))


def _graph(data: Data, coefficients: NDArray[Any], intercept: NDArray[Any], scale: float) -> onnx.ModelProto:
    constants = {"scale": np.float32(1 / scale), "weights": coefficients.T.astype(np.float32), "bias": intercept.astype(np.float32)}
    size = coefficients.shape[1]
    nodes = [
        helper.make_node("Flatten", [data.taken.name], ["flat"]),
        helper.make_node("Mul", ["flat", "scale"], ["embedding"]),
        helper.make_node("Gemm", ["embedding", "weights", "bias"], ["logits"]),
        helper.make_node("Softmax", ["logits"], ["probabilities"]),
    ]
    graph = helper.make_graph(
        nodes,
        "small",
        [helper.make_tensor_value_info(data.taken.name, TensorProto.FLOAT, ["batch", *data.taken.shape[1:]])],
        [
            helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["batch", len(data.classes)]),
            helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["batch", size]),
        ],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def _answers(path: Path, data: Data, rows: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Probabilities and embeddings."""
    session = onnxruntime.InferenceSession(path)
    probabilities, embeddings = session.run(["probabilities", "embedding"], {data.taken.name: rows.astype(np.float32)})
    return probabilities, embeddings


def _reference(path: Path, data: Data) -> Reference:
    weights = {value.name: numpy_helper.to_array(value) for value in onnx.load(path).graph.initializer}
    embeddings = _answers(path, data, data.train_x)[1]
    space = Space.fit(embeddings, data.train_y, len(data.classes))
    columns = Columns.of(data.train_x) if data.taken.kind == "tabular" else None
    fitted = Fitted(Head(weights["weights"], weights["bias"]), space, Fourier.fit(space.place(embeddings), seed=0), columns)
    answers = Batch(data.test_x.astype(np.float32), *_answers(path, data, data.test_x))
    reference = Reference.of(answers, data.taken, fitted).explained(answers, data.taken, data.test_y, partial(_answers, path, data))
    return dataclasses.replace(reference, calibration=_calibration(path, data))


def _calibration(path: Path, data: Data) -> Calibration:
    predicted = _answers(path, data, data.test_x)[0].argmax(axis=1)
    x, y = data.validation
    return Calibration.fit(_answers(path, data, x)[0], y, confusion_matrix(data.test_y, predicted, labels=range(len(data.classes))))


def _manifest(name: str, version: int, data: Data, folder: Path, answers: dict[str, NDArray[Any]]) -> Manifest:
    variants = []
    for variant, found in answers.items():
        file = digest(folder / VARIANTS[variant])
        hits = wilson(int((found.argmax(axis=1) == data.test_y).sum()), len(data.test_y))
        metric = Metric(hits.value, hits.lower, hits.upper, len(data.test_y))
        latency = Latency({"1": 1e-5, "32": 1e-4}, "not measured")
        variants.append(
            Variant(variant, VARIANTS[variant], file.sha256, file.bytes, 650, {"accuracy": metric}, latency, True, None)  # type: ignore[arg-type]
        )
    rows = {"train": len(data.train_x), "test": len(data.test_x)}
    training = Training({"kind": "logistic regression"}, 0, Dataset(name, "0" * 64, rows), None, {}, None, ())
    files = {file: digest(folder / file) for file in ("reference.npz", "model.json", "card.html")}
    created = f"2026-01-0{min(version, 9)}T00:00:00Z"
    return Manifest(FORMAT, name, version, created, "classification", data.taken, data.classes, tuple(variants), "int8", files, training)
