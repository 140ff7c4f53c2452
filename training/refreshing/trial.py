"""Is the candidate better than the live version? Both answer the same rows, which neither has learnt from, in the form in which each is
served; `training.diagnosis.proof` says what is chance.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from models.store import Published
from monitoring.arrays import FloatArray
from monitoring.reference import read_reference
from training.data.parts import DataSet, Part
from training.diagnosis.proof import Proof, compare_classes, compare_values
from training.onnx.answers import answer

#: Where rows are from, in words.
_FROM = {"original": "of the original data", "production": "that production labelled"}


@dataclass(frozen=True)
class Trial:
    """On rows that are `original` or from `production`: how right each is, as a share of them, or of values the mean absolute error; and
    whether the difference is chance.
    """

    what: str
    rows: int
    live: float
    candidate: float
    proof: Proof

    def __str__(self) -> str:
        return f"on {self.rows:,} held-back rows {_FROM[self.what]}: {self.live:.4g} → {self.candidate:.4g}, {self.proof}"

    def to_dict(self) -> dict[str, Any]:
        return {
            "rows": self.rows,
            "live": self.live,
            "candidate": self.candidate,
            "won": self.proof.won,
            "lost": self.proof.lost,
            "p": self.proof.p,
            "better": self.proof.better,
        }


def compare(what: str, live: Published, candidate: Published, part: Part, dataset: DataSet) -> Trial:
    """Both on rows as the data set has them before a split; there is at least one."""
    first, second = (_answers(published, part, dataset) for published in (live, candidate))
    proof = (compare_classes if dataset.classes else compare_values)(first, second, part.y)
    return Trial(what, len(part), _figure(first, part, dataset), _figure(second, part, dataset), proof)


def _answers(published: Published, part: Part, dataset: DataSet) -> FloatArray:
    """Each version learnt by itself what the columns of a table are to its network."""
    x = part.x
    if dataset.frame:
        columns = read_reference(published.file("reference.npz"), published.manifest.default_variant).fitted.columns
        assert columns
        x = columns.encode(dataset.frame.table(x))
    return answer(published.path(), x)[0].astype(np.float64)


def _figure(answers: FloatArray, part: Part, dataset: DataSet) -> float:
    if dataset.classes:
        return float((answers.argmax(axis=1) == part.y).mean())
    return float(np.abs(answers[:, 0] - part.y).mean())
