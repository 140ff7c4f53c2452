"""What a variant's confidence is worth, fitted on the validation rows: the test rows become the reference and may not choose anything."""

from __future__ import annotations

from pathlib import Path

from monitoring.accuracy.calibration import Calibration
from training.data.parts import Part
from training.onnx.answers import answer
from training.publishing.evaluate import Score


def calibrate(path: Path, validation: Part, score: Score) -> Calibration:
    """Fit the temperature and the threshold of an ONNX file; its confusions on the test rows, `score`, are kept beside them."""
    return Calibration.fit(answer(path, validation.x)[0], validation.y, score.confusion)
