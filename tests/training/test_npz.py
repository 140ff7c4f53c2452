""".npz files: what x and y are taken for, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.datasets import load_diabetes, load_wine

from training.data.parts import DataSet
from training.data.sources import load
from training.data.wanted import Wanted
from training.errors import DataError

pytestmark = pytest.mark.training

RANDOM = np.random.default_rng(0)
Y = np.arange(60) % 3
VECTORS = RANDOM.normal(size=(60, 5))
PIXELS = RANDOM.integers(0, 256, (60, 4, 6, 3), np.uint8)
TOKENS = RANDOM.integers(0, 50, (60, 7))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "some data.npz"


def test_wine_and_diabetes(path: Path) -> None:
    wine, diabetes = load_wine(), load_diabetes()
    np.savez(path, x=wine.data, y=wine.target, classes=wine.target_names)
    dataset = load(str(path))
    assert (dataset.name, dataset.kind, dataset.task, dataset.classes) == (
        "some-data",
        "tensor",
        "classification",
        tuple(wine.target_names),
    )
    assert np.array_equal(dataset.rest.x, wine.data.astype(np.float32))
    assert np.array_equal(dataset.rest.y, wine.target)
    np.savez(path, x=diabetes.data, y=diabetes.target)
    dataset = load(str(path))
    assert (dataset.task, dataset.classes, dataset.rest.y.dtype) == ("regression", (), np.float32)
    split = dataset.split(seed=0)
    lowest, highest = float(split.train.x.min()), float(split.train.x.max())
    assert split.problem.input.range == (2 * lowest - highest, 2 * highest - lowest)


@pytest.mark.parametrize(
    ("x", "kind", "shape", "dtype"),
    [
        (VECTORS, "tensor", (5,), np.float32),
        (PIXELS, "image", (4, 6, 3), np.uint8),
        (PIXELS[..., 0], "image", (4, 6, 1), np.uint8),
        (PIXELS / 255, "image", (4, 6, 3), np.uint8),
        (PIXELS / 127.5 - 1, "image", (4, 6, 3), np.uint8),
        ((PIXELS[..., 0] / 255).astype(np.float16), "image", (4, 6, 1), np.uint8),
        (PIXELS / 300, "tensor", (4, 6, 3), np.float32),
        (PIXELS[:, 0, :, 0], "tensor", (6,), np.float32),
        (TOKENS, "sequence", (7,), np.float32),
        (TOKENS - 25, "tensor", (7,), np.float32),
        (VECTORS.reshape(30, 2, 5).repeat(2, axis=0), "sequence", (2, 5), np.float32),
        (RANDOM.normal(size=(60, 2, 3, 4)), "tensor", (2, 3, 4), np.float32),
    ],
)
def test_the_kind_is_seen(path: Path, x: Any, kind: str, shape: tuple[int, ...], dtype: Any) -> None:
    np.savez(path, x=x, y=Y)
    dataset = load(str(path))
    assert (dataset.kind, dataset.rest.x.shape[1:], dataset.rest.x.dtype) == (kind, shape, dtype)
    assert "if it is something else, give --kind" in dataset.notes[0]
    assert dataset.problem.input.kind == kind


@pytest.mark.parametrize("kind", [np.float64, np.float32, np.float16])
def test_scaled_pixels_are_the_same_images(path: Path, kind: Any) -> None:
    assert load_pixels(path, PIXELS).pixels == "0..255"
    for pixels, x in (("0..1", PIXELS / 255), ("-1..1", PIXELS / 127.5 - 1)):
        dataset = load_pixels(path, x.astype(kind))
        assert np.array_equal(dataset.rest.x, PIXELS)
        assert dataset.pixels == pixels
    np.savez(path, x=np.full((60, 4, 6), 0.1, kind), y=Y, kind="image")
    assert load(str(path)).rest.x.max() in (25, 26)


def load_pixels(path: Path, x: Any) -> DataSet:
    np.savez(path, x=x, y=Y)
    return load(str(path))


def test_the_kind_is_said_by_the_flag_or_the_file(path: Path) -> None:
    np.savez(path, x=PIXELS[..., 0].astype(float), y=Y, kind="image")
    assert (load(str(path)).kind, load(str(path)).rest.x.dtype) == ("image", np.uint8)
    assert load(str(path), Wanted(kind="sequence")).rest.x.shape == (60, 4, 6)


def test_tokens_are_as_many_as_all_rows_have(path: Path) -> None:
    np.savez(path, x=TOKENS % 40, y=Y, x_test=TOKENS, y_test=Y)
    assert load(str(path)).split(seed=0).problem.input.range == (0.0, 49.0)


def test_words_and_truth_are_classes_and_the_flag_decides(path: Path) -> None:
    np.savez(path, X=VECTORS, Y=np.array(["b", "c", "a"])[Y])
    assert load(str(path)).classes == ("a", "b", "c")
    assert load(str(path)).rest.y[:3].tolist() == [1, 2, 0]
    np.savez(path, x_train=VECTORS, y_train=Y == 1, x_test=VECTORS[:9], y_test=Y[:9] == 1)
    assert load(str(path)).classes == ("false", "true")
    np.savez(path, x=VECTORS, y=np.eye(3)[Y], classes=["a", "b", "c"])
    assert (load(str(path)).classes, load(str(path)).rest.y.tolist()) == (("a", "b", "c"), Y.tolist())
    np.savez(path, x=VECTORS, y=Y.astype(float)[:, None])
    assert load(str(path), Wanted(task="classification")).classes == ("0", "1", "2")
    np.savez(path, x=VECTORS, y=np.arange(60))
    assert load(str(path), Wanted(task="regression")).rest.y.tolist() == list(range(60))


@pytest.mark.parametrize(
    ("arrays", "told"),
    [
        ({"x": VECTORS}, "has no y; it has to have x and y"),
        ({"x": VECTORS, "y": Y, "x_test": VECTORS}, "has no y_test; .*both or neither"),
        ({"x": VECTORS, "y": Y, "x_test": VECTORS[:, 1:], "y_test": Y}, r"shape \(5,\) in x and \(4,\) in x_test"),
        ({"x": VECTORS, "y": Y[:50]}, r"y of .* has the shape \(50,\), expected one target for each of the 60 rows of x"),
        (
            {"x": VECTORS, "y": np.eye(3)[Y] + 0.1},
            r"y of .* has the shape \(60, 3\), expected one target for each of the 60 rows of x, or one",
        ),
        ({"x": VECTORS[:, 0], "y": Y}, r"x of .* has the shape \(60,\), expected rows"),
        ({"x": VECTORS[:0], "y": Y[:0]}, "expected rows, each of at least one value"),
        ({"x": np.where(VECTORS > 2, np.nan, VECTORS), "y": Y}, r"x of .* has \d rows with NaN.*, the first is row \d"),
        ({"x": VECTORS * 1e300, "y": Y}, "60 rows with NaN, infinite or too large values"),
        ({"x": VECTORS.astype(str), "y": Y}, "x of .* is of the type <U.., expected numbers"),
        ({"x": VECTORS, "y": np.where(Y == 1, np.nan, 1.0)}, "y of .* has 20 values that are not finite"),
        ({"x": VECTORS, "y": np.ones(60)}, "y of .* has 60 rows of one value; there is nothing to learn"),
        ({"x": VECTORS, "y": Y * 0}, "y of .* has 60 rows of one class; at least two"),
        ({"x": VECTORS, "y": np.arange(60)}, "60 different values in 60 rows, too many for classes; .*--task regression"),
        ({"x": VECTORS, "y": Y.astype("M8[D]")}, r"y of .* is of the type datetime64\[D\]"),
        ({"x": VECTORS, "y": np.where(Y == 1, "", "a")}, "rows without a label"),
        ({"x": VECTORS, "y": Y, "classes": ["a", "b"]}, "has the label '2', but classes has 2 others"),
        ({"x": VECTORS, "y": Y, "classes": ["a", "b", "a"]}, "expected at least two, all different"),
        ({"x": VECTORS, "y": Y, "kind": "banana"}, "its kind is 'banana', expected image, tensor, sequence"),
        ({"x": VECTORS, "y": Y, "kind": "image"}, "expected images"),
        ({"x": PIXELS / 100, "y": Y, "kind": "image"}, "pixels that are neither whole numbers from 0 to 255 nor numbers from 0 or -1 to 1"),
        ({"x": VECTORS, "y": Y, "kind": "sequence"}, "tokens that are not whole numbers from 0"),
    ],
)
def test_wrong_arrays_are_told(path: Path, arrays: dict[str, Any], told: str) -> None:
    np.savez(path, allow_pickle=False, **arrays)
    with pytest.raises(DataError, match=told):
        load(str(path))


def test_a_task_that_does_not_fit_is_told(path: Path) -> None:
    np.savez(path, x=VECTORS, y=Y + 0.5)
    with pytest.raises(DataError, match=r"holds values such as 0\.5, 1\.5, 2\.5, which are no classes"):
        load(str(path), Wanted(task="classification"))
    np.savez(path, x=VECTORS, y=Y.astype(str))
    with pytest.raises(DataError, match="holds words such as '0', '1', '2', which are no values"):
        load(str(path), Wanted(task="regression"))
    with pytest.raises(DataError, match="is no table, so it has no column 'y'; leave --target out"):
        load(str(path), Wanted(target="y"))


class Trap:
    """What runs when it is unpickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (Path("sprung"),)


def test_nothing_is_unpickled(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(path.parent)
    np.savez(path, x=np.array([Trap()] * 60, dtype=object), y=Y)
    with pytest.raises(DataError, match="holds Python objects, which are not read"):
        load(str(path))
    assert not Path("sprung").exists()


def test_damaged_files_are_told(path: Path) -> None:
    np.savez(path, x=VECTORS, y=Y)
    whole = path.read_bytes()
    np.savez(path, x=np.zeros((9000, 3)), y=np.zeros(9000))  # the head is read before the sum of all is checked
    open_bracket = path.read_bytes().replace(b"}", b"{", 1)
    local, central = bytearray(whole), whole.index(b"PK\1\2")
    local[6] |= 1  # says that it is encrypted, as the directory of the file does
    local[central + 8] |= 1
    packed = bytearray(whole)
    packed[8] = packed[central + 10] = 99  # a compression that nobody knows
    for content in (
        b"", b"PK\3\4", whole[: len(whole) // 2], whole[:200] + b"\xff" * 60 + whole[260:], open_bracket, bytes(local), bytes(packed),
    ):  # fmt: skip
        path.write_bytes(content)
        with pytest.raises(DataError, match=r"is not a whole \.npz file"):
            load(str(path))
    with path.open("wb") as file:
        np.save(file, VECTORS)
    with pytest.raises(DataError, match="holds one array, expected x and y"):
        load(str(path))
