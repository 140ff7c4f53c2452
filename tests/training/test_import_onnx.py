"""`veleta import` of ONNX files: as PyTorch writes them, and as scikit-learn's models become them."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from models.store import Store
from monitoring.reference import read_reference
from tests.clients.environments import python_of
from tests.training.brought import Brought, asked, made_in, quickly, torch_like
from training.errors import NetworkError
from training.onnx.answers import answer

pytestmark = [pytest.mark.training, pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")]


@pytest.fixture(scope="module")
def brought(tmp_path_factory: pytest.TempPathFactory) -> Brought:
    return made_in(tmp_path_factory.mktemp("brought"))


@pytest.mark.parametrize("opset", [11, 17])
def test_an_onnx_file_of_others(opset: int, brought: Brought, tmp_path: Path) -> None:
    onnx.save(torch_like(brought.network, opset), tmp_path / "theirs.onnx")
    made, said = quickly([tmp_path / "theirs.onnx"], brought.reference, tmp_path / "store")
    expected = asked(brought.network, brought.x / np.float32(255))
    found, embeddings = answer(made.path("fp32"), brought.x)
    assert np.abs(found - expected).max() < 1e-4
    trunk = keras.Sequential(brought.network.layers[:-1])
    assert np.abs(embeddings - asked(trunk, brought.x / np.float32(255))).max() < 1e-3
    assert [variant.name for variant in made.manifest.variants] == ["fp32", "int8"]
    assert made.manifest.variant("int8").metrics["accuracy"].value > 0.85
    assert made.manifest.variant("fp32").parameters == brought.network.count_params()
    head = read_reference(made.file("reference.npz"), "int8").fitted.head
    assert head is not None
    assert "a softmax was put behind it" in said
    assert not (made.folder / "model.json").exists()
    assert "In Keras" not in made.file("card.html").read_text()
    assert len(np.unique(answer(made.path("int8"), brought.x)[0])) > len(brought.x), "probabilities are not rounded"


ONNX_ERRORS: dict[str, tuple[Callable[[Any], Any], str]] = {
    "no model": (lambda model: None, "cannot be read as an ONNX model"),
    "two inputs": (lambda model: model.graph.input.append(helper.make_tensor_value_info("b", 1, [1])), "has the inputs image, b"),
    "text": (lambda model: setattr(model.graph.input[0].type.tensor_type, "elem_type", 8), "expected a single one, of numbers"),
    "fixed batch": (lambda model: fix_batch(model), "cannot answer 128 rows at once .*; export it with a batch of any size"),
    "no answer": (lambda model: del_answer(model), r"has no output with 10 numbers for each row; it has hr of the shape 128 × 24, float32"),
    "unknown operator": (lambda model: setattr(model.graph.node[1], "op_type", "Magic"), "cannot be"),
}


def fix_batch(model: Any) -> None:
    model.graph.node[2].CopyFrom(helper.make_node("Reshape", ["r", "shape"], ["f"]))
    model.graph.initializer.append(numpy_helper.from_array(np.array([1, 13 * 13 * 8]), "shape"))


def del_answer(model: Any) -> None:
    model.graph.output[0].CopyFrom(helper.make_tensor_value_info("hr", onnx.TensorProto.FLOAT, [1, 24]))
    del model.graph.node[-1:]


@pytest.mark.parametrize("fault", ONNX_ERRORS)
def test_an_onnx_file_that_cannot_be_served_is_told(fault: str, brought: Brought, tmp_path: Path) -> None:
    damage, told = ONNX_ERRORS[fault]
    model = torch_like(brought.network, 17)
    damage(model)
    (tmp_path / "bad.onnx").write_bytes(b"no model at all" if fault == "no model" else model.SerializeToString())
    with pytest.raises(NetworkError, match=told):
        quickly([tmp_path / "bad.onnx"], brought.reference, tmp_path / "store")
    assert Store(tmp_path / "store").names() == []


@pytest.fixture(scope="module")
def of_sklearn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sklearn")
    writer = Path(__file__).with_name("write_with_sklearn.py")
    done = subprocess.run([python_of("sklearn"), writer, folder], capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.mark.parametrize(
    ("name", "variants", "has_head"),
    [
        ("pipeline", ["fp32"], False),
        ("forest", ["fp32"], False),
        ("boosted", ["fp32"], False),
        ("network", ["fp32", "int8"], False),  # a single probability
        ("three", ["fp32", "int8"], True),
    ],
)
def test_models_of_scikit_learn(name: str, variants: list[str], has_head: bool, of_sklearn: Path, tmp_path: Path) -> None:
    made, _ = quickly([of_sklearn / f"{name}.onnx"], of_sklearn / f"{name}.npz", tmp_path / "store")
    with np.load(of_sklearn / f"{name}-answers.npz") as known:
        found, _ = answer(made.path("fp32"), known["x"])
        assert np.abs(found - known["answers"]).max() < 1e-4 * max(1, np.abs(known["answers"]).max())
    assert [variant.name for variant in made.manifest.variants] == variants
    reference = read_reference(made.file("reference.npz"), "fp32")
    assert (reference.fitted.head is not None) == has_head
    assert reference.fitted.space is not None, "how unusual a row is can be told"


def test_what_skl2onnx_writes_by_default_is_the_same(of_sklearn: Path, tmp_path: Path) -> None:
    """A list of {label: probability} in the place of probabilities."""
    made, _ = quickly([of_sklearn / "zipmap.onnx"], of_sklearn / "forest.npz", tmp_path / "store")
    with np.load(of_sklearn / "forest-answers.npz") as known:
        assert np.abs(answer(made.path("fp32"), known["x"])[0] - known["answers"]).max() < 1e-4


def test_constants_may_be_nodes_and_names_in_capitals(brought: Brought, tmp_path: Path) -> None:
    model = torch_like(brought.network, 17)
    nodes = [helper.make_node("Constant", [], [one.name], value=one) for one in model.graph.initializer]
    nodes += list(model.graph.node)
    del model.graph.initializer[:], model.graph.node[:]
    model.graph.node.extend(nodes)
    onnx.save(model, tmp_path / "THEIRS.ONNX")
    made, _ = quickly([tmp_path / "THEIRS.ONNX"], brought.reference, tmp_path / "store")
    assert [variant.name for variant in made.manifest.variants] == ["fp32", "int8"]
    assert made.manifest.variant("fp32").parameters == brought.network.count_params()
