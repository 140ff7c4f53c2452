"""Files that Keras 2 has written: its package is installed beside, writes them, and is the oracle of what they answer."""

from __future__ import annotations

import copy
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.clients.environments import package_of
from tests.live_server import ROOT
from training.networks.base import load
from training.networks.files import read_model
from training.networks.keras2 import is_of_keras_2, modern
from training.quiet import quiet_libraries

pytestmark = [pytest.mark.training, pytest.mark.timeout(600)]
MODELS = ("founding", "mobile", "recurrent", "words")


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("keras2")
    path = os.pathsep.join([str(package_of("tf_keras")), str(ROOT)])
    command = [sys.executable, "-W", "ignore", "-m", "tests.training.write_with_keras2", str(folder)]
    done = subprocess.run(command, env=os.environ | {"PYTHONPATH": path}, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.mark.parametrize("form", ["{}.json {}-weights.h5", "{}.json {}-whole.h5", "{}-whole.h5", "{}.keras"])
@pytest.mark.parametrize("name", MODELS)
def test_it_answers_as_keras_2(name: str, form: str, written: Path) -> None:
    model = read_model([written / part.format(name) for part in form.split()])
    with np.load(written / f"{name}.npz") as known, quiet_libraries():
        assert np.abs(np.asarray(model(known["x"], training=False)) - known["answers"]).max() < 1e-5


def test_the_oldest_form_of_a_sequence_is_a_list(written: Path) -> None:
    """Without an input, a version, or where a class lies: as Keras 2.0 wrote it."""
    description = json.loads((written / "founding.json").read_text())
    layers = [plain(layer) for layer in description["config"]["layers"] if layer["class_name"] != "InputLayer"]
    old = written / "old.json"
    old.write_text(json.dumps({"class_name": "Sequential", "config": layers}))
    model = read_model([old, written / "founding-weights.h5"])
    with np.load(written / "founding.npz") as known:
        assert np.abs(np.asarray(model(known["x"], training=False)) - known["answers"]).max() < 1e-5


def plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: plain(part) for key, part in value.items() if key not in ("module", "registered_name", "build_config")}
    return value


def test_what_keras_3_cannot_do_is_told(written: Path) -> None:
    description = json.loads((written / "mobile.json").read_text())
    (trunk,) = [layer for layer in description["config"]["layers"] if layer["name"] == "trunk"]
    (depthwise,) = [layer for layer in trunk["config"]["layers"] if layer["class_name"] == "DepthwiseConv2D"]
    changed = copy.deepcopy(description)
    assert modern(changed)["class_name"] == "Functional"
    depthwise["config"]["groups"] = 2
    with pytest.raises(ValueError, match="a DepthwiseConv2D, has groups = 2, which Keras 3 no longer knows"):
        modern(description)
    depthwise["class_name"] = "MyOwn"
    with pytest.raises(ValueError, match="Could not locate class 'MyOwn'"):
        modern(description)


def test_a_base_of_keras_2_can_be_built_on(written: Path) -> None:
    assert load(written / "founding.keras").output_shape == (None, 3)


@pytest.mark.parametrize(
    ("description", "version", "old"),
    [
        ({"class_name": "Sequential", "config": []}, "", True),
        ({"class_name": "Sequential", "module": "keras"}, "", False),
        ({"class_name": "Sequential", "module": "keras"}, "2.15.0", True),
        ({"class_name": "Sequential", "keras_version": "2.2.4-tf"}, "", True),
        ({"class_name": "Sequential"}, "3.15.1", False),
    ],
)
def test_whose_a_description_is(description: dict[str, Any], version: str, old: bool) -> None:
    assert is_of_keras_2(description, version) == old
