"""Lists of pixels take a quick way to an array, in JSON the quickest if there is a C compiler, all others NumPy's own. Nobody is to see
which.
"""

from __future__ import annotations

import importlib
import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from app import decoding, json_bodies
from app.errors import BadInput, OverLimit
from app.protocols import open_inference, tensor_json
from app.protocols.exchange import Request
from app.takes import Takes
from tests.app import fuzz_octets
from tests.compiler import compiled, sanitized

ROOT = Path(__file__).parents[2]
LIMITS = decoding.Limits(2**20, 100, 2**20)
TAKEN = Takes("x", "float32", (None, 2, 2), "tensor", (-1e9, 1e9))
LEAVES = [0, 1, 7, 255, 256, -1, True, False, None, "1", b"", 1.5, 2**70, [], {}, {"a": 1}, *[7] * 30]


def nested(rng: random.Random, depth: int) -> Any:
    if depth == 0:
        return rng.choice(LEAVES)
    length = 2 if rng.random() < 0.9 else rng.randrange(4)
    return [nested(rng, depth - 1 if rng.random() < 0.97 else 0) for _ in range(length)]


def said(values: Any) -> Any:
    return said_by(lambda: decoding.from_values(values, TAKEN, LIMITS))


def said_by(read: Callable[[], NDArray[Any]]) -> Any:
    try:
        return read().tolist()
    except (BadInput, OverLimit) as error:
        return str(error)


def test_what_is_read_is_what_numpy_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = random.Random(0)
    cases = [nested(rng, rng.randrange(1, 4)) for _ in range(20_000)]
    quick = [said(case) for case in cases]

    monkeypatch.setattr(json_bodies, "_octets", lambda _: None)

    assert quick == [said(case) for case in cases]
    assert sum(isinstance(answer, list) for answer in quick) > 300


def test_octets_are_read_in_every_shape() -> None:
    for shape in [(3,), (3, 4), (2, 3, 4), (2, 3, 4, 1)]:
        values = np.random.default_rng(0).integers(0, 256, shape)
        read = json_bodies._octets(values.tolist())
        assert read is not None
        assert read.dtype == np.uint8
        assert (read == values).all()


def test_lists_in_lists_without_end_are_refused() -> None:
    deep: Any = 7
    for _ in range(900):
        deep = [deep]

    assert "not all of one shape" in said(deep)


def test_bodies_are_read_alike_with_and_without_c(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = random.Random(0)
    heads = ['{"instances":', '{"inputs" : ', '{"signature_name":"x","instances":', '{"instances":7,"instances":', "", " "]
    heads += ['{"instances":"\\u0000","a":{"instances":', '{"inputs":[{"data":"\\u0000"}],"a":{"data":']
    heads += ['{"a":"[","inputs":', '{"a":"x"instances":', '{"a":"\\"instances":', '{"instances":{"instances":', '{"labels":']
    tensor = '{"inputs":[{"name":"x","shape":[1,2,2],"datatype":"FP32","data":'
    heads += [tensor, '{"inputs":[{"data":[9],"data":']
    heads += ['{"inputs":[{"shape":[1,2,2],"datatype":"UINT8","data":[1,2,3,4]},{"data":', '{"inputs":{"data":', '{"data":']
    tails = ["}]}", ', "name": "x", "shape": [2, 4], "datatype": "INT8"} ], "id": "7"}', "}", " }\n", "", " ", "]", "}}", "\x0b", "}\x0b"]
    tails += [',"instances":[[1,2,3,4]]}', ',"signature_name":"x"}', ', "a": null }']
    ends = [(rng.choice(heads), rng.choice(tails)) for _ in range(20_000)] + [(tensor, "}]}")] * 5000
    bodies = [f"{head}{json.dumps(nested(rng, rng.randrange(1, 4)), default=str)}{tail}" for head, tail in ends]
    bodies += [f"{head}{array}{tail}" for head in heads for tail in tails for array in ("[[1,2,3,4]]", "[[[1.0, 2], [3, 4]]]", "[1,2]")]

    def read() -> list[Any]:
        return [decoded(body.encode()) for body in bodies]

    quick = read()
    monkeypatch.setattr(json_bodies, "_read_octets", lambda body, start: None)

    assert quick == read()
    for protocol in zip(*quick, strict=True):
        assert sum(isinstance(answer, list) for answer in protocol) > 100


def decoded(body: bytes) -> list[Any]:
    """In our own protocol, in that of TensorFlow Serving and in Open Inference."""
    ways = (
        lambda: decoding.decode(body, "application/json", TAKEN, LIMITS),
        lambda: tensor_json.read_rows(tensor_json.read_object(body), TAKEN, LIMITS),
        lambda: open_inference._rows(*open_inference._head(Request("", {}, body, {}), TAKEN), TAKEN, LIMITS),
    )
    return [said_by(way) for way in ways]


@compiled()
@pytest.mark.parametrize("values", [[7, 255], [[1, 2, 3, 4]], [[[1, 2], [3, 4]]] * 3, [[[1.0, 2.0], [3.0, 255.0]]]])
@pytest.mark.parametrize(
    ("read", "body", "place"),
    [
        (json_bodies.read_instances, " %s\n", lambda data: data),
        (json_bodies.read_instances, '{"instances":%s}', lambda data: data["instances"]),
        (json_bodies.read_instances, '{"signature_name": "x[0]", "inputs": %s, "params": {}}', lambda data: data["inputs"]),
        (json_bodies.read_tensors, '{"inputs": [{"shape": [1, 4], "data": %s}], "id": "7"}', lambda data: data["inputs"][0]["data"]),
    ],
)
@pytest.mark.parametrize("separators", [(",", ":"), (", ", ": ")])
def test_pixels_in_json_never_become_lists(
    values: Any, read: Callable[[bytes], Any], body: str, place: Callable[[Any], Any], separators: tuple[str, str]
) -> None:
    array = place(read((body % json.dumps(values, separators=separators)).encode()))

    assert array.dtype == np.uint8
    assert array.tolist() == values


@compiled()
def test_what_c_reads_is_what_the_standard_library_reads() -> None:
    octets = importlib.import_module("app.octets")

    assert fuzz_octets.wrong(octets.read, seed=0, count=8_000) == []
    assert sum(octets.read(body, max(body.find(b"["), 0)) is not None for body in fuzz_octets.bodies(0, 8_000)) > 2000


@compiled()
def test_nothing_is_read_or_written_beyond_the_end(tmp_path: Path) -> None:
    ran = sanitized("app/octets.c", "tests.app.fuzz_octets", tmp_path, "1", "3000")

    assert (ran.returncode, ran.stdout) == (0, "[]\n"), ran.stderr
