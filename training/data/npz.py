"""A .npz file (numpy.savez) with x and y, and if there are, x_test and y_test, `classes` (the labels) and `kind`.

What kind of input x is, is said by --kind, by the file's `kind`, or by its type and shape:

    uint8 (n, height, width) or (n, height, width, 1 or 3)      image
    floats so, which were whole numbers before they were scaled
        to 0 to 1 or -1 to 1                                    image
    whole numbers from 0 (n, steps), not uint8                  sequence of tokens
    (n, steps, features)                                        sequence
    anything else                                               tensor

Whole numbers, words and one-hot rows in y are classes, floats are values. Nothing is ever unpickled.
"""

from __future__ import annotations

import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from tokenize import TokenError
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray

from training.data.names import safe_name
from training.data.parts import DataSet
from training.data.pixels import WHOLE, are_whole, from_0_to_255, range_of
from training.data.rows import Kind, Part
from training.data.targets import known_classes, labels, values
from training.data.wanted import Wanted
from training.errors import DataError

#: Tokens above this are not whole numbers any more in float32.
_MOST_TOKENS = 2**24
#: Other names under which the parts are known, such as those of keras.datasets.
_ALSO = {"x": ("x_train", "X"), "y": ("y_train", "Y"), "x_test": (), "y_test": (), "classes": (), "kind": ()}


#: What numpy and zipfile let out: a RuntimeError for what is encrypted or packed in a way that they do not know.
_DAMAGED = (OSError, ValueError, EOFError, KeyError, RuntimeError, SyntaxError, TokenError, zipfile.BadZipFile, zlib.error)


@dataclass(frozen=True)
class _Arrays:
    """The arrays of the file, by the first of their names."""

    path: Path
    found: dict[str, NDArray[Any]]

    @classmethod
    def read(cls, path: Path) -> _Arrays:
        try:
            with path.open("rb") as raw:
                file = np.load(raw, allow_pickle=False)
                if not isinstance(file, np.lib.npyio.NpzFile):
                    raise DataError(f"{path} holds one array, expected x and y; write it with numpy.savez(path, x=x, y=y)")
                names = {name: next((n for n in (name, *also) if n in file.files), None) for name, also in _ALSO.items()}
                return cls(path, {name: file[stored] for name, stored in names.items() if stored})
        except _DAMAGED as error:
            if "allow_pickle" in str(error):
                raise DataError(
                    f"{path} holds Python objects, which are not read since they can run programs; save arrays of numbers or words"
                ) from error
            raise DataError(f"{path} is not a whole .npz file; write it again with numpy.savez") from error
        except MemoryError as error:
            raise DataError(f"{path} does not fit into memory; give fewer rows") from error

    def need(self, name: str) -> NDArray[Any]:
        if name not in self.found:
            raise DataError(f"{self.path} has no {name}; it has to have x and y, and x_test and y_test both or neither")
        return self.found[name]


def from_npz(path: Path, wanted: Wanted) -> DataSet:
    """The data set in a file. Raises DataError that names the file and the array."""
    arrays = _Arrays.read(path)
    x, tested = arrays.need("x"), bool({"x_test", "y_test"} & arrays.found.keys())
    parts = [("x", "y"), ("x_test", "y_test")] if tested else [("x", "y")]
    kind = wanted.kind or _said(arrays) or _guess(x)
    inputs = [_inputs(arrays.need(name), kind, f"{name} of {path}") for name, _ in parts]
    targets = [_column(arrays.need(name), len(rows), f"{name} of {path}") for (_, name), rows in zip(parts, inputs, strict=True)]
    if inputs[-1].shape[1:] != inputs[0].shape[1:]:
        raise DataError(f"{path} has rows of shape {inputs[0].shape[1:]} in x and {inputs[-1].shape[1:]} in x_test; they must be alike")
    classes, answers = _answers(targets, arrays, wanted)
    made = [Part(rows, answer) for rows, answer in zip(inputs, answers, strict=True)]
    test = made[1] if tested else None
    notes, pixels = (_taken_as(kind, inputs[0]),), range_of(x) if kind == "image" else WHOLE
    return DataSet(safe_name(path.stem), f"the file {path.name}", classes, made[0], test, kind, notes=notes, pixels=pixels)


def _said(arrays: _Arrays) -> Kind | None:
    if "kind" not in arrays.found:
        return None
    said = str(arrays.found["kind"])
    kinds = [kind for kind in get_args(Kind) if kind != "tabular"]
    if said not in kinds:
        raise DataError(f"{arrays.path} says that its kind is {said[:40]!r}, expected {', '.join(kinds)}")
    return said  # type: ignore[return-value]  # it is one of them


def _guess(x: NDArray[Any]) -> Kind:
    shaped = x.ndim == 3 or (x.ndim == 4 and x.shape[3] in (1, 3))
    if shaped and (x.dtype == np.uint8 or ((pixels := range_of(x)) != WHOLE and are_whole(from_0_to_255(x, pixels)))):
        return "image"
    tokens = x.ndim == 2 and x.dtype.kind in "iu" and x.dtype != np.uint8 and x.size > 0 and x.min() >= 0
    return "sequence" if tokens or x.ndim == 3 else "tensor"


def _taken_as(kind: Kind, x: NDArray[Any]) -> str:
    what = {"image": "images", "tensor": "vectors or tensors", "sequence": "sequences of tokens" if x.ndim == 2 else "sequences of vectors"}
    shape = " × ".join(map(str, x.shape[1:]))
    return f"x is taken as {what[kind]} of shape {shape}; if it is something else, give --kind"


def _inputs(x: NDArray[Any], kind: Kind, what: str) -> NDArray[Any]:
    if x.dtype.kind not in "iufb":
        raise DataError(f"{what} is of the type {x.dtype}, expected numbers")
    if x.ndim < 2 or not x.size:
        raise DataError(f"{what} has the shape {x.shape}, expected rows, each of at least one value: (n, …)")
    if kind == "image":
        return _images(x, what)
    with np.errstate(over="ignore"):
        rows = np.ascontiguousarray(x, dtype=np.float32)
    finite = np.isfinite(rows).reshape(len(rows), -1).all(axis=1)
    if not finite.all():
        raise DataError(
            f"{what} has {int((~finite).sum()):,} rows with NaN, infinite or too large values, the first is row {int(finite.argmin())}; "
            "fill them or leave them out"
        )
    if kind == "sequence":
        _check_sequence(x, rows, what)
    return rows


def _images(x: NDArray[Any], what: str) -> NDArray[np.uint8]:
    shaped = x[..., None] if x.ndim == 3 else x
    if shaped.ndim != 4 or shaped.shape[3] not in (1, 3):
        raise DataError(f"{what} has the shape {x.shape}, expected images (n, height, width), grey or with 1 or 3 channels at the end")
    if (scaled := range_of(shaped)) != WHOLE:
        return np.rint(from_0_to_255(shaped, scaled)).astype(np.uint8)
    with np.errstate(invalid="ignore"):  # what is no pixel becomes some other number, and is found out
        pixels = np.ascontiguousarray(shaped.astype(np.uint8, copy=False))
    if not np.array_equal(pixels, shaped):
        raise DataError(
            f"{what} has pixels that are neither whole numbers from 0 to 255 nor numbers from 0 or -1 to 1; scale them so, or give "
            "--kind tensor to take them as they are"
        )
    return pixels


def _check_sequence(x: NDArray[Any], rows: NDArray[np.float32], what: str) -> None:
    if x.ndim not in (2, 3):
        raise DataError(f"{what} has the shape {x.shape}, expected sequences (n, steps, features), or of tokens (n, steps)")
    if x.ndim == 2 and not ((rows >= 0) & (rows == np.floor(rows)) & (rows < _MOST_TOKENS)).all():
        raise DataError(f"{what} has tokens that are not whole numbers from 0 to {_MOST_TOKENS - 1:,}; give vectors (n, steps, features)")


def _column(y: NDArray[Any], rows: int, what: str) -> NDArray[Any]:
    """One target a row (n,); of one-hot rows (n, classes) the class."""
    flat = y.reshape(-1) if y.ndim == 2 and y.shape[1] == 1 else y
    if _is_one_hot(flat):
        flat = flat.argmax(axis=1)
    if flat.dtype.kind == "S":
        flat = np.char.decode(flat, "utf-8", "replace")
    if flat.shape != (rows,):
        raise DataError(f"{what} has the shape {y.shape}, expected one target for each of the {rows:,} rows of x, or one-hot rows of them")
    return flat


def _is_one_hot(y: NDArray[Any]) -> bool:
    """Whether each row has a single 1 among zeros, as keras.utils.to_categorical makes them."""
    if y.ndim != 2 or y.dtype.kind not in "biuf" or not y.size:
        return False
    return bool(((y == 0) | (y == 1)).all() and (y.sum(axis=1) == 1).all())


def _answers(targets: list[NDArray[Any]], arrays: _Arrays, wanted: Wanted) -> tuple[tuple[str, ...], list[NDArray[Any]]]:
    """(Labels of the classes, the targets of each part)."""
    what = f"y of {arrays.path}"
    task = wanted.task or ("regression" if targets[0].dtype.kind == "f" else "classification")
    if task == "regression":
        return (), [values(y, what) for y in targets]
    found = [labels(y, what) for y in targets]
    if "classes" in arrays.found:
        return _named(found, arrays, what)
    known = known_classes(np.concatenate(found), what)
    return tuple(map(str, known.tolist())), [np.searchsorted(known, y).astype(np.int64) for y in found]


def _named(found: list[NDArray[Any]], arrays: _Arrays, what: str) -> tuple[tuple[str, ...], list[NDArray[Any]]]:
    """With the labels that the file gives: y are their places, or are among them."""
    names = np.atleast_1d(arrays.found["classes"]).astype(np.str_)
    if len(set(names.tolist())) < max(len(names), 2) or names.ndim != 1:
        raise DataError(f"classes of {arrays.path} has {len(names)} labels, expected at least two, all different")
    if found[0].dtype.kind == "U":
        places = {name: place for place, name in enumerate(names.tolist())}
        numbers = [np.array([places.get(label, -1) for label in y.tolist()], dtype=np.int64) for y in found]
    else:
        numbers = [y.astype(np.int64) for y in found]
    for y, number in zip(found, numbers, strict=True):
        if not ((number >= 0) & (number < len(names))).all():
            wrong = y[(number < 0) | (number >= len(names))][0]
            raise DataError(f"{what} has the label {str(wrong)[:40]!r}, but classes has {len(names)} others; give each class a label")
    return tuple(names.tolist()), numbers
