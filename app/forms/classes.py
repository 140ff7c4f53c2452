"""Classes in writing: the label, its confidence and all probabilities."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.forms.form import not_a_number, with_outlier
from app.predictor import Answer, Called
from monitoring.counts.receipt import Seal
from monitoring.subject import Subject


class ClassForm:
    """The answers of a model of classification."""

    main = "probabilities"
    #: What may be asked for by `signature_name`. A Keras classifier has one output: its probabilities.
    signatures: Mapping[str, tuple[str, ...]] = {
        "serving_default": ("probabilities",),
        "with_embedding": ("probabilities", "embedding"),
        "with_id": ("probabilities", "label", "id"),  # what /feedback takes
    }

    def __init__(self, subject: Subject, features: int | None) -> None:
        self.subject, self._classes = subject, subject.manifest.classes
        self.outputs: Mapping[str, tuple[str, int | None]] = {
            "probabilities": ("float32", len(self._classes)),
            "embedding": ("float32", features),
            "label": ("object", 1),
            "id": ("object", 1),
        }

    def label(self, label: Any) -> str:
        return self._classes[int(label)]

    def predictions(self, answer: Answer, seal: Seal, now: float) -> list[dict[str, Any]]:
        if len(answer.call.batch) == 1:
            return [self._prediction(answer.call, seal, now)]
        return answer.each(self._predictions, seal, now)

    def receipts(self, answer: Answer, seal: Seal, now: float) -> list[str]:
        return answer.each(self._receipts, seal, now)

    def values(self, name: str, answer: Answer, seal: Seal, now: float) -> NDArray[Any] | list[Any]:
        if name == "probabilities":
            return answer.outputs
        if name == "embedding":
            return answer.embedding
        if name == "label":
            return [self._classes[number] for number in answer.chosen]
        return self.receipts(answer, seal, now)

    def top(self, answer: Answer, most: int) -> NDArray[Any]:
        """(n, most) texts "probability:class number:label", the most probable first."""
        order = np.argsort(-answer.outputs, axis=1, kind="stable")[:, :most]
        texts = [
            [f"{row[number]:f}:{number}:{self._classes[number]}" for number in best]
            for row, best in zip(answer.outputs, order.tolist(), strict=True)
        ]
        return np.array(texts, dtype=object)

    def _prediction(self, call: Called, seal: Seal, now: float) -> dict[str, Any]:
        """That of the only row, without what is made for all rows of a call at once: it would take half as long again."""
        row = call.batch.outputs[0]
        number = row.argmax().item()
        (receipt,) = self._sealed(call, 0, [number], [row.item(number)], seal, now)
        prediction = self._said(receipt, number, row)
        if outlier := call.outlier:
            prediction["outlier"] = outlier[0]
        return prediction

    def _predictions(self, answer: Answer, seal: Seal, now: float) -> list[dict[str, Any]]:
        rows = list(map(self._said, self._receipts(answer, seal, now), answer.chosen, answer.outputs))
        return with_outlier(rows, answer)

    def _said(self, receipt: str, number: int, row: NDArray[Any]) -> dict[str, Any]:
        return {"id": receipt, "label": self._classes[number], "class": number, "confidence": row[number], "probabilities": row}

    def _receipts(self, answer: Answer, seal: Seal, now: float) -> list[str]:
        return self._sealed(answer.call, answer.start, answer.chosen, answer.largest, seal, now)

    def _sealed(self, call: Called, start: int, chosen: list[int], largest: list[float], seal: Seal, now: float) -> list[str]:
        """The ids of some rows of a call, from `start`."""
        if not all(map(math.isfinite, largest)):
            raise not_a_number(self.subject)
        ids = seal.close(self.subject.fingerprint, now, chosen, largest)
        call.sealed.append((start, ids))
        return ids
