"""reference.npz: what each variant answered to rows that it has never seen; what its live answers are compared with."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from models.manifest import Input
from monitoring.reference import Reference, Samples, write_references
from monitoring.signals.measure import Batch, Fitted
from training.data.parts import Part
from training.onnx.answers import answer
from training.publishing.evaluate import Score, ValueScore

#: Test rows that are kept to try the model with.
SAMPLES = 1000


def write_profile(
    path: Path,
    paths: Mapping[str, Path],
    test: Part,
    scores: dict[str, Score | ValueScore],
    fitted: dict[str, Fitted],
    calibrations: dict[str, dict[str, Any]],
    taken: Input,
    seed: int,
) -> None:
    """Write the reference of each variant, whose ONNX file is in `paths`, and a stratified draw of the test rows as samples.

    A reference is of all test rows; its calibration stands beside it.
    """
    inputs = test.x.astype(taken.dtype)
    references = {}
    for variant, score in scores.items():
        batch = Batch(inputs, score.outputs, score.embeddings)
        reference = Reference.of(batch, taken, fitted[variant]).explained(batch, taken, test.y, partial(answer, paths[variant]))
        references[variant] = dataclasses.replace(reference, **calibrations[variant])
    samples = test.draw(SAMPLES, seed)
    write_references(path, references, Samples(samples.x, samples.y))
