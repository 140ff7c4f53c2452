"""What came of a run, from the scores of its network."""

from __future__ import annotations

from typing import Any

import numpy as np

from models.manifest import Manifest, Metric
from monitoring.accuracy.wilson import wilson
from monitoring.arrays import FloatArray, IntArray
from training.data.parts import Part, Split
from training.publishing.evaluate import Score, confusion_matrix
from training.runs.answers import Answers
from training.runs.run import Result


def published_result(manifest: Manifest, network: str, validation: Score, test: Score, split: Split) -> Result:
    """Of a version: the scores of the network as it was fitted, the variant `network`; how its other forms do stands in `facts`."""
    scores = {part: {"accuracy": score.accuracy} for part, score in (("validation", validation), ("test", test))}
    answers = {
        name: Answers.of(part.x, score.probabilities.argmax(axis=1) == part.y)
        for name, part, score in (("validation", split.validation, validation), ("test", split.test, test))
    }
    forms = {variant.name: round(variant.metrics["accuracy"].value, 6) for variant in manifest.variants}
    return Result(
        scores,
        answers,
        _rows(test.confusion),
        manifest.classes,
        manifest.variant(network).parameters,
        manifest.version,
        {"default_variant": manifest.default_variant, "test_accuracy": forms},
    )


def validation_result(probabilities: FloatArray, part: Part, classes: tuple[str, ...], parameters: int, **facts: Any) -> Result:
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
