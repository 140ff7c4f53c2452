"""The whole loop on the model that `make run` trains: what is served is what was measured, and what is watched is what is so."""

from __future__ import annotations

import contextlib
import io
import json
import os
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import requests
from numpy.typing import NDArray
from PIL import Image

from models.store import Published, Store
from tests.app.test_predict import npy, png
from tests.live_server import samples, total, wait_for
from tests.made import Made

pytestmark = pytest.mark.training
Images = NDArray[Any]


@pytest.fixture(scope="module")
def published(made: Made) -> Published:
    return Store(made.folder / "models").open("digits", 1)


@pytest.fixture(scope="module")
def held_back(made: Made) -> tuple[Images, NDArray[Any]]:
    """The thousand test images as the server gives them out, which are those that training held back."""
    listed = requests.get(f"{made.url}/samples/digits?count=1000", timeout=30).json()["samples"]
    with requests.Session() as session:
        images = [np.asarray(Image.open(io.BytesIO(session.get(made.url + sample["image"], timeout=30).content))) for sample in listed]
    return np.stack(images), np.array([int(sample["label"]) for sample in listed])


def posted(made: Made, images: Images, make: Callable[[Images], dict[str, Any]], at_once: int) -> list[int]:
    found = []
    with requests.Session() as session:
        for start in range(0, len(images), at_once):
            answer = session.post(f"{made.url}/predict", timeout=60, **make(images[start : start + at_once]))
            assert answer.status_code == 200, answer.text
            found += [prediction["class"] for prediction in answer.json()["predictions"]]
    return found


FORMS: dict[str, tuple[Callable[[Images], dict[str, Any]], int]] = {
    "instances": (lambda x: {"json": {"instances": x[..., None].tolist()}}, 250),
    "instances flat": (lambda x: {"json": {"instances": x.reshape(len(x), -1).tolist()}}, 250),
    "a bare list": (lambda x: {"json": x.tolist()}, 100),
    "one instance": (lambda x: {"json": x[0].tolist()}, 1),
    "png": (lambda x: {"data": png(x[0])}, 1),
    "a form of many": (lambda x: {"files": [("file", (f"{i}.png", png(image))) for i, image in enumerate(x)]}, 50),
    "npy": (lambda x: {"data": npy(x)}, 500),
    "raw bytes": (lambda x: {"data": x.tobytes()}, 500),
    "raw floats": (lambda x: {"data": x.astype("<f4").tobytes()}, 500),
}


@pytest.mark.parametrize("form", FORMS)
def test_held_back_images_give_the_accuracy_of_the_manifest_to_the_image(
    made: Made, published: Published, held_back: tuple[Images, NDArray[Any]], form: str
) -> None:
    images, labels = held_back
    make, at_once = FORMS[form]

    right = np.count_nonzero(np.array(posted(made, images, make, at_once)) == labels)

    assert right == round(published.manifest.variant().metrics["accuracy"].value * len(labels))
    assert right >= 970


def test_every_variant_agrees_with_keras(published: Published, held_back: tuple[Images, NDArray[Any]]) -> None:
    import keras
    import onnxruntime

    images = held_back[0].astype(np.float32)[..., None]
    network = keras.models.model_from_json((published.folder / "model.json").read_text())
    network.load_weights(published.folder / "model.h5")
    expected = np.asarray(network(images))

    for variant, same in (("fp32", 1.0), ("int8", 0.99)):
        (found,) = onnxruntime.InferenceSession(published.path(variant)).run(["probabilities"], {"image": images})
        assert np.mean(found.argmax(axis=1) == expected.argmax(axis=1)) >= same
        if variant == "fp32":
            assert np.abs(found - expected).max() < 1e-4


SHIFTS: dict[str, Callable[[Images], Images]] = {
    "brightened": lambda x: np.clip(x.astype(int) + 50, 0, 255),
    "inverted": lambda x: 255 - x,
    "moved": lambda x: np.roll(x, 3, axis=2),
}


def over(made: Made) -> set[str]:
    shown = requests.get(f"{made.url}/monitor", timeout=10).json()["windows"]["1m"]["drift"]
    return {drift["signal"] for drift in shown if drift["state"] == "over"}


def test_fresh_images_stay_under_the_limits_and_shifted_ones_go_over(made: Made, held_back: tuple[Images, NDArray[Any]]) -> None:
    images = held_back[0]
    fresh = images[np.random.default_rng(5).choice(len(images), 500)]
    posted(made, fresh, FORMS["npy"][0], 500)
    time.sleep(1)
    assert over(made) == set()

    for change, expected in zip(SHIFTS.values(), ({"mean", "saturation"}, {"mean", "ink"}, {"centroid_x"}), strict=True):
        posted(made, np.concatenate([change(fresh)] * 6).astype(np.uint8), FORMS["npy"][0], 1000)
        wait_for(lambda expected=expected: expected <= over(made))  # type: ignore[misc]


def test_with_four_workers_under_load_a_kill_loses_no_acknowledged_label_and_no_counter_goes_back(
    made: Made, held_back: tuple[Images, NDArray[Any]]
) -> None:
    images, labels = held_back
    stop, acknowledged, backwards, seen = threading.Event(), [], [], {}
    before = samples(requests.get(f"{made.url}/metrics", timeout=10).text)

    def label_on(first: int) -> None:
        i = first
        while not stop.is_set():
            i = (i + 7) % len(images)
            with contextlib.suppress(requests.RequestException, KeyError, json.JSONDecodeError):
                answer = requests.post(f"{made.url}/predict", data=images[i].tobytes(), timeout=10).json()["predictions"][0]
                told = requests.post(f"{made.url}/feedback", json={"id": answer["id"], "label": str(labels[i])}, timeout=10)
                if told.status_code == 200:
                    acknowledged.append(told.json()["matched"])

    def scrape_on() -> None:
        while not stop.is_set():
            with contextlib.suppress(requests.RequestException):
                for key, value in samples(requests.get(f"{made.url}/metrics", timeout=10).text).items():
                    if any(part in key for part in ("_total", "_bucket", "_count")):
                        if value < seen.get(key, 0):
                            backwards.append((key, seen[key], value))
                        seen[key] = value

    threads = [threading.Thread(target=label_on, args=(i,)) for i in range(6)] + [threading.Thread(target=scrape_on)]
    for thread in threads:
        thread.start()
    for _ in range(4):
        time.sleep(1)
        os.kill(workers(made)[0], signal.SIGKILL)
    time.sleep(1)
    stop.set()
    for thread in threads:
        thread.join()

    wait_for(lambda: len(workers(made)) == 4)
    after = samples(requests.get(f"{made.url}/metrics", timeout=10).text)
    counted = total(after, "veleta_feedback_total", 'result="matched"') - total(before, "veleta_feedback_total", 'result="matched"')
    assert not backwards
    assert len(acknowledged) > 50
    assert counted >= sum(acknowledged)
    assert total(after, "veleta_confusion_total") - total(before, "veleta_confusion_total") == counted


def workers(made: Made) -> list[int]:
    """The worker processes of the server, by the process that its state folder names."""
    server = int((made.folder / "models/.veleta/server").read_text())
    return [int(pid) for pid in Path(f"/proc/{server}/task/{server}/children").read_text().split()]
