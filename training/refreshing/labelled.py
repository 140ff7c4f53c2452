"""What production labelled, as rows of the data set that the version learnt from."""

from __future__ import annotations

import datetime
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.errors import VeletaError
from models.manifest import Manifest
from models.store import Published, Store
from monitoring.counts.examples import Example, alike
from monitoring.reference import read_reference
from training.data.parts import DataSet, Part
from training.data.rows import Kind
from training.errors import RefreshError


@dataclass(frozen=True)
class Labelled:
    """Rows as the data set's are before a split, and why others were left out, a sentence each."""

    part: Part
    since: float
    until: float
    left_out: tuple[str, ...]

    @property
    def source(self) -> str:
        first, last = _day(self.since), _day(self.until)
        return (
            f"{len(self.part):,} inputs that production labelled, answered {f'from {first} to {last}' if first != last else f'on {first}'}"
        )


def labelled(examples: Sequence[Example], store: Store, dataset: DataSet) -> Labelled:
    """Those of `examples` that are rows of the data set. Raises RefreshError if none is."""
    left_out: Counter[str] = Counter()
    found = list(_found(examples, store, dataset, left_out))
    sentences = tuple(f"{rows:,} labelled inputs are left out: {why}" for why, rows in left_out.items())
    if not found:
        raise RefreshError(f"nothing can be learnt from what production labelled: {'; '.join(sentences)}")
    x, y, at = zip(*found, strict=True)
    part = Part(np.concatenate(x), np.concatenate(y).astype(dataset.rest.y.dtype))
    times = np.concatenate(at)
    return Labelled(part, float(times.min()), float(times.max()), sentences)


def _found(
    examples: Sequence[Example], store: Store, dataset: DataSet, left_out: Counter[str]
) -> Iterator[tuple[NDArray[Any], NDArray[Any], NDArray[Any]]]:
    """Rows, labels and times of each variant that answered, (n, …), (n,) and (n,)."""
    for some in alike(examples):
        name, version, variant = some.subject.split("/")
        try:
            published = store.open(name, int(version))
        except VeletaError:
            left_out[f"{name}/{version}, which answered them, is gone from the shelf"] += len(some.actual)
            continue
        shape, wanted = some.inputs.shape[1:], published.manifest.input.row_shape if dataset.frame else dataset.rest.x.shape[1:]
        if shape != tuple(wanted):
            left_out[f"they have the shape {shape}, and the data set's have {tuple(wanted)}"] += len(some.actual)
            continue
        x, usable = _rows(some.inputs, published, variant, dataset)
        y, known = _labels(some.actual, published.manifest, dataset)
        if not usable.all():
            left_out["they have a category that training did not know, whose name is not kept"] += int((~usable).sum())
        if not known.all():
            left_out["the data set does not have their class"] += int((usable & ~known).sum())
        kept = np.flatnonzero(usable & known)
        if len(kept):
            yield x[kept], y[kept], some.predicted_at[kept]


def _rows(x: NDArray[Any], published: Published, variant: str, dataset: DataSet) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """Inputs (n, …) as the data set has its rows, and which of them can be that."""
    if dataset.frame is None:
        return _typed(x, dataset.kind), np.ones(len(x), np.bool_)
    columns = read_reference(published.file("reference.npz"), variant).fitted.columns
    assert columns
    table, unknown = columns.decode(x)
    return dataset.frame.rows(table), ~unknown


def _typed(x: NDArray[Any], kind: Kind) -> NDArray[Any]:
    return np.clip(np.rint(x), 0, 255).astype(np.uint8) if kind == "image" else x.astype(np.float32)


def _labels(actual: NDArray[Any], manifest: Manifest, dataset: DataSet) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """Class numbers of a version, or values, as the data set's, and which of them it has."""
    if not dataset.classes:
        return actual, np.isfinite(actual)
    places = {label: place for place, label in enumerate(dataset.classes)}
    numbers = np.array([places.get(label, -1) for label in manifest.classes])[actual.astype(np.int64)]
    return numbers, numbers >= 0


def _day(seconds: float) -> str:
    return datetime.datetime.fromtimestamp(seconds, datetime.UTC).strftime("%Y-%m-%d")
