"""Small real models on real data, built without TensorFlow in a second: logistic regression on scikit-learn's 8×8 digits and on iris."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from sklearn.datasets import load_digits, load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split

from models.manifest import FORMAT, VARIANTS, Dataset, Input, Latency, Manifest, Metric, Training, Variant, digest
from models.store import Published, Store
from monitoring.reference import Reference, Samples, write_references
from monitoring.signals import Batch
from monitoring.wilson import wilson


@dataclass(frozen=True)
class Data:
    """A real data set, split: inputs at the door (uint8 images or float rows) and class numbers."""

    taken: Input
    classes: tuple[str, ...]
    train_x: NDArray[Any]
    train_y: NDArray[Any]
    test_x: NDArray[Any]
    test_y: NDArray[Any]


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
    """Fit, export as fp32 and with weights rounded to 8 bits as int8, profile and publish, as training does. `change` spoils the graphs."""
    folder.mkdir(parents=True, exist_ok=True)
    scale = data.taken.range[1]
    fitted = LogisticRegression(C=regularization, max_iter=2000).fit(data.train_x.reshape(len(data.train_x), -1) / scale, data.train_y)
    step = np.abs(fitted.coef_).max() / 127
    for variant, coefficients in (("fp32", fitted.coef_), ("int8", np.round(fitted.coef_ / step) * step)):
        graph = _graph(data, coefficients, fitted.intercept_, scale)
        if change:
            change(graph)
        onnx.save(graph, folder / VARIANTS[variant])
    answers = {v: _answers(folder / VARIANTS[v], data) for v in ("fp32", "int8")}
    references = {v: Reference.of(Batch(data.test_x, found), data.taken) for v, found in answers.items()}
    write_references(folder / "reference.npz", references, Samples(data.test_x, data.test_y))
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


def _answers(path: Path, data: Data) -> NDArray[Any]:
    session = onnxruntime.InferenceSession(path)
    (probabilities,) = session.run(["probabilities"], {data.taken.name: data.test_x.astype(np.float32)})
    found: NDArray[Any] = probabilities
    return found


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
