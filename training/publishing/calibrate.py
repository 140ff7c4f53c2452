"""What a variant's answers are worth, fitted on the validation rows: the test rows become the reference and may not choose anything.

Of classes, what their confidence means; of values, how wide an interval must be to hold the truth.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from training.data.parts import Part
from training.onnx.answers import answer
from training.publishing.evaluate import Score, ValueScore


def calibrate(path: Path, validation: Part, score: Score | ValueScore) -> dict[str, Any]:
    """The part of the reference that says so, by its name, of an ONNX file; its `score` on the test rows goes into it."""
    return score.calibrated(answer(path, validation.x)[0], validation.y)
