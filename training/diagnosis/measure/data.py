"""Facts of the data, before the first update."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from monitoring.arrays import FloatArray
from training.data.parts import Part, Problem, Split
from training.diagnosis.facts import Data, Inputs
from training.diagnosis.measure.reference import MOST_TRAIN, MOST_VALIDATION, reference

_MOST_WORDS = 2000


def data_facts(problem: Problem, split: Split, inputs: Inputs, seed: int) -> Data:
    """Of the rows that are fitted to and chosen by; the test rows are not looked at."""
    train, validation = split.train, split.validation
    classes = len(problem.classes)
    rng = np.random.default_rng(seed)
    some, asked = (sample(part, most, rng) for part, most in ((train, MOST_TRAIN), (validation, MOST_VALIDATION)))
    features = features_of(problem, some.x, asked.x)
    return Data(
        task=problem.task,
        train_rows=len(train),
        validation_rows=len(validation),
        train_counts=_counts(train, classes),
        validation_counts=_counts(validation, classes),
        shared=_shared(train.x, validation.x),
        contradictory=_contradictory(train) if classes else 0.0,
        target=(0.0, 0.0, 0.0, 0.0) if classes else _target(train.y),
        inputs=inputs,
        reference=reference(*_with_labels(features[0], some), *_with_labels(features[1], asked), classes),
    )


def sample(part: Part, most: int, rng: np.random.Generator) -> Part:
    """At most so many rows, drawn without replacement."""
    return part if len(part) <= most else part.take(np.sort(rng.choice(len(part), most, replace=False)))


def features_of(problem: Problem, train: NDArray[Any], other: NDArray[Any]) -> tuple[FloatArray, FloatArray]:
    """Rows as flat features of comparable size: pixels by one common scale, columns each by its own, tokens as counts of words."""
    if is_tokens(problem, train):
        return _words(train), _words(other)
    flat = train.reshape(len(train), -1).astype(np.float64)
    center = flat.mean(axis=0)
    scale = np.full(flat.shape[1], flat.std()) if problem.input.kind == "image" else flat.std(axis=0)
    scale[scale < 1e-9] = 1.0
    return (flat - center) / scale, (other.reshape(len(other), -1) - center) / scale


def is_tokens(problem: Problem, x: NDArray[Any]) -> bool:
    """Whether the rows are sequences of whole numbers that stand for words."""
    return problem.input.kind == "sequence" and x.ndim == 2 and bool(np.all(x == np.floor(x)))


def _words(x: NDArray[Any]) -> FloatArray:
    tokens = np.clip(x.astype(np.int64), 0, _MOST_WORDS - 1)
    counts = np.zeros((len(x), _MOST_WORDS))
    np.add.at(counts, (np.arange(len(x))[:, None], tokens), 1.0)
    return counts


def _with_labels(features: FloatArray, part: Part) -> tuple[FloatArray, NDArray[Any]]:
    return features, part.y


def _counts(part: Part, classes: int) -> NDArray[np.int64]:
    return np.bincount(part.y, minlength=classes) if classes else np.empty(0, np.int64)


def _shared(train: NDArray[Any], validation: NDArray[Any]) -> float:
    known = {row.tobytes() for row in train}
    return float(np.mean([row.tobytes() in known for row in validation]))


def _contradictory(train: Part) -> float:
    """The share of the rows that are there again with another label."""
    labels: dict[bytes, set[int]] = {}
    keys = [row.tobytes() for row in train.x]
    for key, label in zip(keys, train.y.tolist(), strict=True):
        labels.setdefault(key, set()).add(label)
    return float(np.mean([len(labels[key]) > 1 for key in keys]))


def _target(y: NDArray[Any]) -> tuple[float, float, float, float]:
    return float(y.mean()), float(y.std()), float(y.min()), float(y.max())
