"""A regression of a table, by every route: what is answered, what labels make of it, and what is shown and exported."""

from __future__ import annotations

import argparse
import io
import json
import math
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
from flask import Flask
from flask.testing import FlaskClient
from sklearn.metrics import mean_absolute_error, root_mean_squared_error

from app.client import in_words
from app.factory import create_app
from app.fast_lane import FastLane
from app.settings import resolve
from models.commands import show
from models.store import Store
from tests.app.test_fast_lane import ID, by_both
from tests.live_server import samples
from tests.small_models import Data


def start(root: Path) -> Flask:
    return create_app(resolve({"store": str(root), "model": "diabetes", "max_rows": 800}, {}, {})[0])


@pytest.fixture(scope="module")
def other_app(other_shelf: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flask]:
    root = tmp_path_factory.mktemp("values") / "store"
    shutil.copytree(other_shelf, root)
    app = start(root)
    yield app
    app.extensions["veleta"].close()


@pytest.fixture
def client(other_app: Flask) -> FlaskClient:
    return other_app.test_client()


@pytest.fixture(scope="module")
def expected(other_shelf: Path, patients: Data) -> tuple[np.ndarray, float]:
    """What ONNX Runtime answers to the test rows, and the half-width by its definition: the 95 % quantile of n + 1 errors, one infinite."""
    session = onnxruntime.InferenceSession(Store(other_shelf).open("diabetes").path("int8"))
    values, held_back = (session.run(["value"], {"patient": x})[0][:, 0] for x in (patients.test_x, patients.validation[0]))
    errors = np.append(np.abs(held_back - patients.validation[1]), math.inf)
    return values, float(np.quantile(errors, 0.95, method="inverted_cdf"))


def npy(rows: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.save(file, rows)
    return file.getvalue()


FORMS: dict[str, Callable[[Data], dict[str, Any]]] = {
    "objects": lambda data: {"json": {"instances": list(data.tests[:5])}},
    "bare objects": lambda data: {"json": list(data.tests[:5])},
    "lists with null": lambda data: {"json": {"instances": [list(row.values()) for row in data.tests[:5]]}},
    "encoded rows": lambda data: {"json": {"instances": data.test_x[:5].tolist()}},
    "npy": lambda data: {"data": npy(data.test_x[:5])},
    "raw": lambda data: {"data": data.test_x[:5].tobytes(), "content_type": "application/octet-stream"},
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_gives_the_value_and_its_interval_in_both_lanes(
    other_app: Flask, client: FlaskClient, patients: Data, expected: tuple[np.ndarray, float], form: str
) -> None:
    fast, slow = by_both(FastLane(other_app, 2), client, "/predict/diabetes", FORMS[form](patients))

    assert (fast[0], fast[1], ID.sub(b"id", fast[2])) == (slow[0], slow[1], ID.sub(b"id", slow[2]))
    predictions = json.loads(slow[2])["predictions"]
    values, half = expected
    assert [one["value"] for one in predictions] == pytest.approx(values[:5], rel=1e-6)
    assert [one["lower"] for one in predictions] == pytest.approx(values[:5] - half, rel=1e-5)
    assert [one["upper"] for one in predictions] == pytest.approx(values[:5] + half, rel=1e-5)
    assert all(set(one) == {"id", "value", "lower", "upper", "outlier"} and 0 <= one["outlier"] <= 1 for one in predictions)
    assert re.fullmatch(r"-?\d+(\.\d+)?\t-?\d+(\.\d+)? to -?\d+(\.\d+)?", in_words(predictions[0]))


@pytest.mark.parametrize(
    ("sent", "told"),
    [
        ({"instances": [{"agee": 3}]}, "there is no column 'agee', expected 'age', 'sex'"),
        ({"instances": [{"age": "old"}]}, "the column 'age' has 'old', expected a number"),
        ({"instances": [{"sex": 1.5}]}, "the column 'sex' has 1.5, expected a text"),
        ({"instances": [{"age": 3}, 7]}, "an instance is no row of 10 columns"),
        ({"instances": [[1, None]]}, "not a number"),
        ({"instances": [[1, 2, 3]]}, "expected instances of 12 = 12 numbers"),
        ({"rows": [[1, 2, 3]]}, "no 'instances'"),
    ],
)
def test_what_is_no_row_is_refused_in_one_sentence(client: FlaskClient, sent: Any, told: str) -> None:
    response = client.post("/predict/diabetes", json=sent)

    assert response.status_code == 400
    assert told in response.get_json()["error"]


def test_one_row_with_what_is_missing_left_out(client: FlaskClient, patients: Data) -> None:
    (found,) = client.post("/predict", json={"age": 50, "sex": "unheard of"}).get_json()["predictions"]
    same = dict.fromkeys(patients.tests[0]) | {"age": 50, "sex": "other"}

    assert client.post("/predict", json=[same]).get_json()["predictions"][0]["value"] == found["value"]


def test_the_other_protocols_answer_the_same(client: FlaskClient, patients: Data, expected: tuple[np.ndarray, float]) -> None:
    values, half = expected
    rows, near = list(patients.tests[:3]), pytest.approx(values[:3], rel=1e-6)
    tensor = {"name": "patient", "datatype": "FP32", "shape": [3, 12], "data": patients.test_x[:3].tolist()}

    def post(path: str, sent: Any) -> Any:
        response = client.post(path, json=sent)
        assert response.status_code == 200, response.text
        return response.get_json()

    for sent in ({"instances": rows}, {"instances": patients.test_x[:3].tolist()}):
        assert [row[0] for row in post("/v1/models/diabetes:predict", sent)["predictions"]] == near
    columns = {name: [row[name] for row in rows] for name in rows[0]}
    assert [row[0] for row in post("/v1/models/diabetes:predict", {"inputs": columns})["outputs"]] == near
    assert post("/v1/models/diabetes:regress", {"examples": rows})["results"] == near
    refused = client.post("/v1/models/diabetes:classify", json={"examples": rows})
    assert (refused.status_code, "not of classification" in refused.get_json()["error"]) == (400, True)
    assert [row[0] for row in post("/invocations", {"instances": rows})["predictions"]] == near
    frame = {"columns": list(rows[0])[::-1], "data": [list(row.values())[::-1] for row in rows]}
    assert [row[0] for row in post("/invocations", {"dataframe_split": frame})["predictions"]] == near
    outputs = {one["name"]: one for one in post("/v2/models/diabetes/infer", {"inputs": [tensor]})["outputs"]}
    assert list(outputs) == ["value", "lower", "upper", "embedding", "id"]
    assert outputs["value"]["data"] == near
    assert outputs["upper"]["data"] == pytest.approx(values[:3] + half, rel=1e-5)
    described = client.get("/v2/models/diabetes").get_json()["outputs"]
    assert [(one["name"], one["shape"]) for one in described[:2]] == [("value", [-1, 1]), ("lower", [-1, 1])]
    (signature,) = [client.get("/v1/models/diabetes/metadata").get_json()["metadata"]["signature_def"]["signatureDef"]["serving_default"]]
    assert list(signature["outputs"]) == ["value"]


def test_an_id_of_each_protocol_takes_a_number_as_label_and_nothing_else(client: FlaskClient, patients: Data) -> None:
    with_id = {"instances": list(patients.tests[:2]), "signature_name": "with_id"}
    first, second = (one["id"] for one in client.post("/v1/models/diabetes:predict", json=with_id).get_json()["predictions"])

    def give(identity: str, label: Any) -> str:
        (result,) = client.post("/feedback", json={"id": identity, "label": label}).get_json()["results"]
        return str(result)

    bad = ["high", "nan", "inf", "-Infinity", None, True, [3.5], {"value": 3}, 1e300, "1e39"]
    assert [give(first, label) for label in bad] == ["invalid"] * len(bad)
    assert [give(first, 3.5), give(first, "3.5"), give(first, 3.50001)] == ["matched", "duplicate", "conflict"]
    assert [give(second, "7"), give(second, 7.0)] == ["matched", "duplicate"]
    assert len(first) <= 96


def test_errors_are_scikit_learns_whatever_the_window_and_after_a_restart(
    other_shelf: Path, tmp_path: Path, patients: Data, expected: tuple[np.ndarray, float]
) -> None:
    shutil.copytree(other_shelf, tmp_path / "store")
    app = start(tmp_path / "store")
    predictions = app.test_client().post("/predict", json={"instances": list(patients.tests)}).get_json()["predictions"]
    labels = [{"id": one["id"], "label": y} for one, y in zip(predictions, patients.test_y.tolist(), strict=True)]
    assert shown(app)[0]["errors"] is None
    assert app.test_client().post("/feedback", json={"feedback": labels[:30]}).get_json()["matched"] == 30
    assert shown(app)[0]["errors"] is None  # too few
    assert app.test_client().post("/feedback", json={"feedback": labels}).get_json()["duplicate"] == 30
    before = shown(app)
    app.extensions["veleta"].close()
    app = start(tmp_path / "store")
    window, exported = shown(app)
    app.extensions["veleta"].close()

    assert window["errors"] == before[0]["errors"]
    assert window["labels"] == len(labels)
    truth, (values, half) = patients.test_y, expected
    oracle = {
        "mae": mean_absolute_error(truth, values),
        "rmse": root_mean_squared_error(truth, values),
        "coverage": float(np.mean(np.abs(values - truth) <= half)),
    }
    for by, prefix in (("errors", "veleta_"), ("errors_by_prediction_time", "veleta_cohort_")):
        found = window[by]
        assert {name: one["value"] for name, one in found.items()} == pytest.approx(oracle, rel=1e-5)
        for name, metric in (
            ("mae", "mean_absolute_error{}"),
            ("rmse", "root_mean_squared_error{}"),
            ("coverage", "interval_coverage{}_ratio"),
        ):
            for part, end in (("value", ""), ("lower", "_lower"), ("upper", "_upper")):
                assert exported[key(prefix + metric.format(end), window="24h")] == found[name][part]
    rows = exported[key("veleta_label_delay_seconds_count")]
    assert exported[key("veleta_absolute_error_total")] / rows == pytest.approx(oracle["mae"], rel=1e-5)
    assert math.sqrt(exported[key("veleta_squared_error_total")] / rows) == pytest.approx(oracle["rmse"], rel=1e-5)
    assert exported[key("veleta_fourth_power_error_total")] == pytest.approx(float(np.sum((values - truth) ** 4)), rel=1e-4)
    assert exported[key("veleta_interval_hits_total")] / rows == pytest.approx(oracle["coverage"])
    tested = Store(other_shelf).open("diabetes").manifest.variant("int8").metrics
    for metric, name in (("mae", "mean_absolute_error"), ("rmse", "root_mean_squared_error")):
        ends = [exported[key(f"veleta_reference_{name}{end}")] for end in ("", "_lower", "_upper")]
        assert ends == [tested[metric].value, tested[metric].lower, tested[metric].upper]
    assert exported[key("veleta_reference_interval_coverage_ratio")] == 0.95
    assert exported[key("veleta_reference_interval_rows")] == len(patients.validation[1])
    assert exported[key("veleta_predictions_total", **{"class": ""})] == len(labels)
    missing = np.mean([row["bmi"] is None for row in patients.tests])
    assert exported[key("veleta_column_missing_ratio", column="bmi", window="24h")] == pytest.approx(missing)
    assert exported[key("veleta_column_unseen_ratio", column="sex", window="24h")] == 0
    ours = [name for name in exported if 'model="diabetes"' in name]
    assert not [name for name in ours if "accuracy" in name or "calibration" in name or "confusion" in name or "estimated" in name]


def test_samples_come_as_a_client_sends_them(client: FlaskClient, patients: Data) -> None:
    found = client.get("/samples/diabetes?count=40").get_json()["samples"]

    assert [one["label"] for one in found] == patients.test_y[:40].tolist()
    for one, row in zip(found, patients.tests, strict=False):
        assert one["instance"]["sex"] == row["sex"]
        assert one["instance"]["bmi"] == (None if row["bmi"] is None else pytest.approx(row["bmi"], rel=1e-6))
    status = client.get("/?model=diabetes", headers={"Accept": "application/json"}).get_json()
    assert status["task"] == "regression"
    assert status["columns"][1] == {"name": "sex", "categories": ["1", "2"]}


def test_sequences_of_whole_numbers_are_watched_by_their_values(client: FlaskClient) -> None:
    rows = np.arange(3 * 64).reshape(3, 8, 8) % 17
    assert client.post("/predict/rows", json={"instances": rows.tolist()}).status_code == 200
    refused = client.post("/predict/rows", json={"instances": (rows + 0.5).tolist()})
    client.application.extensions["veleta"].recorder.flush()

    assert (refused.status_code, "whole numbers" in refused.get_json()["error"]) == (400, True)
    drift = {one["signal"]: one["rows"] for one in client.get("/monitor?model=rows").get_json()["windows"]["24h"]["drift"]}
    assert {"class", "mean", "spread", "lowest", "highest", "zeros", "steps", "embedding"} <= set(drift)
    assert drift["steps"] == 3


def test_show_tells_the_errors(other_shelf: Path, capsys: pytest.CaptureFixture[str]) -> None:
    show(argparse.Namespace(store=str(other_shelf), model="diabetes", json=False))

    said = capsys.readouterr().out
    assert "regression" in said
    assert "0 classes" not in said
    metrics = Store(other_shelf).open("diabetes").manifest.variant().metrics
    assert f"{metrics['mae'].value:.4g}" in said
    assert f"{metrics['rmse'].lower:.4g} to {metrics['rmse'].upper:.4g}" in said


def shown(app: Flask) -> tuple[dict[str, Any], dict[str, float]]:
    app.extensions["veleta"].recorder.flush()
    client = app.test_client()
    exported = samples(client.get("/metrics").text)
    return client.get("/monitor").get_json()["windows"]["24h"], exported


def key(name: str, **labels: str) -> str:
    found = sorted({"model": "diabetes", "variant": "int8", "version": "1", **labels}.items())
    return name + "{" + ",".join(f'{label}="{value}"' for label, value in found) + "}"
