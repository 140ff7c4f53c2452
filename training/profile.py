"""reference.npz: what each variant answered to rows that it has never seen; what its live answers are compared with."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from models.manifest import Input
from monitoring.reference import Reference, Samples, write_references
from monitoring.signals import Batch
from training.evaluate import Score
from training.parts import Part

#: Test rows that are kept to try the model with.
SAMPLES = 1000


def write_profile(path: Path, test: Part, scores: dict[str, Score], taken: Input, seed: int) -> None:
    """Write the reference of each variant over all test rows, and a stratified draw of them as samples."""
    inputs = test.x.astype(np.float32)
    references = {variant: Reference.of(Batch(inputs, score.probabilities), taken) for variant, score in scores.items()}
    samples = test.draw(SAMPLES, seed)
    write_references(path, references, Samples(samples.x, samples.y))
