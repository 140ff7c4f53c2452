"""What came of a run, from the scores of its network."""

from __future__ import annotations

from typing import Any

import numpy as np

from models.manifest import METRICS, Manifest, Metric
from monitoring.accuracy.wilson import wilson
from monitoring.arrays import FloatArray, IntArray
from training.data.parts import Divided, Part, Split
from training.publishing.evaluate import Score, ValueScore, confusion_matrix
from training.runs.answers import Answers
from training.runs.run import Result


def published_result(
    manifest: Manifest, network: str, validation: Score | ValueScore, test: Score | ValueScore, split: Split, **facts: Any
) -> Result:
    """Of a version: the scores of the network as it was fitted, the variant `network`; how its other forms do stands in the facts."""
    parts = (("validation", validation, split.validation), ("test", test, split.test))
    watched = METRICS[manifest.task][0]
    return Result(
        {name: score.metrics for name, score, _ in parts},
        {name: Answers.of(part.x, score.outputs.argmax(axis=1) == part.y) for name, score, part in parts if isinstance(score, Score)},
        _rows(test.confusion) if isinstance(test, Score) else None,
        manifest.classes,
        manifest.variant(network).parameters,
        manifest.version,
        {
            "default_variant": manifest.default_variant,
            f"test_{watched}": {variant.name: round(variant.metrics[watched].value, 6) for variant in manifest.variants},
            **facts,
        },
    )


def fold_result(score: Score | ValueScore, split: Divided, parameters: int) -> Result:
    """Of a network that was fitted without a fold, judged on it."""
    if isinstance(score, ValueScore):
        return Result({"test": score.metrics}, parameters=parameters)
    right = score.outputs.argmax(axis=1) == split.test.y
    answers = {"test": Answers.of(split.test.x, right)}
    return Result({"test": score.metrics}, answers, _rows(score.confusion), split.problem.classes, parameters)


def validation_result(probabilities: FloatArray, part: Part, classes: tuple[str, ...], parameters: int | None, **facts: Any) -> Result:
    """Of an attempt that is judged on the validation rows alone. `probabilities` are (n, classes)."""
    predicted = probabilities.argmax(axis=1)
    right = predicted == part.y
    score = {"validation": {"accuracy": accuracy(int(np.count_nonzero(right)), len(part))}}
    confusion = _rows(confusion_matrix(part.y, predicted, len(classes)))
    return Result(score, {"validation": Answers.of(part.x, right)}, confusion, classes, parameters, None, facts)


def accuracy(right: int, rows: int) -> Metric:
    """With its Wilson interval."""
    interval = wilson(right, rows)
    return Metric(interval.value, interval.lower, interval.upper, rows)


def _rows(confusion: IntArray) -> tuple[tuple[int, ...], ...]:
    return tuple(tuple(int(count) for count in row) for row in confusion)
