"""Small real models on real data, built without TensorFlow in a second: logistic regression on scikit-learn's 8×8 digits, as images and as
sequences, and on iris; ridge regression on its diabetes table.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from sklearn.datasets import load_diabetes, load_digits, load_iris
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import confusion_matrix
from sklearn.model_selection import train_test_split

from models.manifest import FORMAT, VARIANTS, Dataset, Input, Latency, Manifest, Metric, Training, Variant, digest
from models.store import Published, Store
from monitoring.accuracy.calibration import Calibration
from monitoring.accuracy.conformal import Residuals
from monitoring.accuracy.regression import error_sums, errors
from monitoring.accuracy.wilson import Interval, wilson
from monitoring.reference import Reference, Samples, write_references
from monitoring.signals.answered import CLASSES, VALUES, Answered
from monitoring.signals.columns import Columns
from monitoring.signals.energy import Head
from monitoring.signals.fourier import Fourier
from monitoring.signals.measure import Batch, Fitted
from monitoring.signals.space import Space

_TASKS: dict[str, Any] = {"probabilities": "classification", "value": "regression"}


@dataclass(frozen=True)
class Data:
    """A real data set, split: inputs as the network takes them (uint8 images or float rows), and class numbers or values. Of a table,
    `columns` say how its rows were encoded, and `tests` are the rows of its test part as a client has them.
    """

    taken: Input
    classes: tuple[str, ...]
    train_x: NDArray[Any]
    train_y: NDArray[Any]
    test_x: NDArray[Any]
    test_y: NDArray[Any]
    columns: Columns | None = None
    tests: tuple[dict[str, Any], ...] = ()

    @property
    def answered(self) -> Answered:
        return CLASSES if self.classes else VALUES

    @property
    def main(self) -> str:
        """What the model calls its answer."""
        return "probabilities" if self.classes else "value"

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
    names = [name.removesuffix(" (cm)") for name in found.feature_names]
    return _table(_split(taken, tuple(map(str, found.target_names)), found.data.astype(np.float32), found.target), names, ())


def digit_rows(dtype: str = "float32") -> Data:
    """The 8×8 digits as sequences: eight steps of eight values from 0 to 16."""
    found = load_digits()
    taken = Input("rows", dtype, (None, 8, 8), "sequence", (0.0, 16.0))
    return _split(taken, tuple("0123456789"), found.images.astype(dtype), found.target)


def diabetes() -> Data:
    """How far the disease has gone after a year, 25 to 346, by ten columns, of which the sex is a category and 5 % of `bmi` are missing."""
    found = load_diabetes(scaled=False)
    table = found.data.copy()
    table[np.random.default_rng(0).random(len(table)) < 0.05, found.feature_names.index("bmi")] = np.nan
    taken = Input("patient", "float32", (None, 12), "tabular", (0.0, 400.0))
    return _table(_split(taken, (), table, found.target), found.feature_names, ("sex",))


def _split(taken: Input, classes: tuple[str, ...], x: NDArray[Any], y: NDArray[Any]) -> Data:
    train_x, test_x, train_y, test_y = train_test_split(x, y, test_size=0.4, stratify=y if classes else None, random_state=0)
    return Data(taken, classes, train_x, train_y, test_x, test_y)


def _table(data: Data, names: Sequence[str], categories: Sequence[str]) -> Data:
    """The rows of a table, encoded by what its training rows say."""
    train, test = (_named(rows, names, categories) for rows in (data.train_x, data.test_x))
    columns = Columns.of(train)
    tests = tuple(dict(zip(names, map(_json, row), strict=True)) for row in zip(*test.values(), strict=True))
    return dataclasses.replace(data, train_x=columns.encode(train), test_x=columns.encode(test), columns=columns, tests=tests)


def _named(rows: NDArray[Any], names: Sequence[str], categories: Sequence[str]) -> dict[str, NDArray[Any]]:
    wide = rows.astype(np.float64)
    return {name: wide[:, i].astype(int).astype(str) if name in categories else wide[:, i] for i, name in enumerate(names)}


def _json(value: Any) -> Any:
    return str(value) if isinstance(value, str) else None if np.isnan(value) else float(value)


def publish(
    store: Store, name: str, data: Data, folder: Path, regularization: float = 1.0, change: Callable[[onnx.ModelProto], None] | None = None
) -> Published:
    """Fit, export as fp32 and with weights rounded to 8 bits as int8, profile and publish, as training does.

    `change` spoils the graphs afterwards.
    """
    folder.mkdir(parents=True, exist_ok=True)
    scale = data.taken.range[1]
    x, y = data.fitted
    model = LogisticRegression(C=regularization, max_iter=2000) if data.classes else Ridge(alpha=0.01 / regularization)
    fitted = model.fit(x.reshape(len(x), -1) / scale, y)
    exact, bias = np.atleast_2d(fitted.coef_), np.atleast_1d(fitted.intercept_)
    step = np.abs(exact).max() / 127
    for variant, coefficients in (("fp32", exact), ("int8", np.round(exact / step) * step)):
        onnx.save(_graph(data, coefficients, bias, scale), folder / VARIANTS[variant])
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
        helper.make_node("Cast", [data.taken.name], ["numbers"], to=TensorProto.FLOAT),
        helper.make_node("Flatten", ["numbers"], ["flat"]),
        helper.make_node("Mul", ["flat", "scale"], ["embedding"]),
        helper.make_node("Gemm", ["embedding", "weights", "bias"], ["logits" if data.classes else "value"]),
        *([helper.make_node("Softmax", ["logits"], ["probabilities"])] if data.classes else []),
    ]
    kind = helper.np_dtype_to_tensor_dtype(np.dtype(data.taken.dtype))
    graph = helper.make_graph(
        nodes,
        "small",
        [helper.make_tensor_value_info(data.taken.name, kind, ["batch", *data.taken.shape[1:]])],
        [
            helper.make_tensor_value_info(data.main, TensorProto.FLOAT, ["batch", len(data.classes) or 1]),
            helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["batch", size]),
        ],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def _answers(path: Path, data: Data, rows: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Probabilities or values, and embeddings."""
    session = onnxruntime.InferenceSession(path)
    outputs, embeddings = session.run([data.main, "embedding"], {data.taken.name: rows.astype(data.taken.dtype)})
    return outputs, embeddings


def _reference(path: Path, data: Data) -> Reference:
    weights = {value.name: numpy_helper.to_array(value) for value in onnx.load(path).graph.initializer}
    embeddings = _answers(path, data, data.train_x)[1]
    space = Space.fit(embeddings, data.train_y if data.classes else np.zeros(len(data.train_y), np.int64), len(data.classes) or 1)
    head = Head(weights["weights"], weights["bias"]) if data.classes else None
    fitted = Fitted(head, space, Fourier.fit(space.place(embeddings), seed=0), data.columns, data.answered)
    answers = Batch(data.test_x.astype(data.taken.dtype), *_answers(path, data, data.test_x))
    reference = Reference.of(answers, data.taken, fitted).explained(answers, data.taken, data.test_y, partial(_answers, path, data))
    if not data.classes:
        return dataclasses.replace(reference, residuals=_residuals(path, data))
    return dataclasses.replace(reference, calibration=_calibration(path, data))


def _residuals(path: Path, data: Data) -> Residuals:
    errors = [y - _answers(path, data, x)[0][:, 0] for x, y in (data.validation, (data.test_x, data.test_y))]
    return Residuals.fit(*errors)


def _calibration(path: Path, data: Data) -> Calibration:
    predicted = _answers(path, data, data.test_x)[0].argmax(axis=1)
    x, y = data.validation
    return Calibration.fit(_answers(path, data, x)[0], y, confusion_matrix(data.test_y, predicted, labels=range(len(data.classes))))


def _metrics(data: Data, answers: NDArray[Any]) -> dict[str, Interval]:
    if data.classes:
        return {"accuracy": wilson(int((answers.argmax(axis=1) == data.test_y).sum()), len(data.test_y))}
    values = answers[:, 0].astype(np.float64)
    found = errors(error_sums(values, data.test_y, values, values))
    assert found
    return {"mae": found.mae, "rmse": found.rmse}


def _manifest(name: str, version: int, data: Data, folder: Path, answers: dict[str, NDArray[Any]]) -> Manifest:
    variants = []
    for variant, found in answers.items():
        file = digest(folder / VARIANTS[variant])
        metrics = {name: Metric(one.value, one.lower, one.upper, len(data.test_y)) for name, one in _metrics(data, found).items()}
        latency = Latency({"1": 1e-5, "32": 1e-4}, "not measured")
        variants.append(
            Variant(variant, VARIANTS[variant], file.sha256, file.bytes, 650, metrics, latency, True, None)  # type: ignore[arg-type]
        )
    rows = {"train": len(data.train_x), "test": len(data.test_x)}
    training = Training({"kind": "linear"}, 0, Dataset(name, "0" * 64, rows), None, {}, None, ())
    files = {file: digest(folder / file) for file in ("reference.npz", "model.json", "card.html")}
    created = f"2026-01-0{min(version, 9)}T00:00:00Z"
    return Manifest(FORMAT, name, version, created, _TASKS[data.main], data.taken, data.classes, tuple(variants), "int8", files, training)
