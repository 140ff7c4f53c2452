"""Values in writing: the value and its 95 % interval."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.forms.form import not_a_number, with_outlier
from app.predictor import Answer
from monitoring.counts.receipt import Seal
from monitoring.subject import Subject


class ValueForm:
    """The answers of a model of regression. Where nothing is known of the errors there is no interval."""

    main = "value"

    def __init__(self, subject: Subject, features: int | None) -> None:
        self.subject = subject
        residuals = subject.reference.residuals
        self._half_width = residuals.interval if residuals else None
        ends = ("lower", "upper") if self._half_width is not None else ()
        self.outputs: Mapping[str, tuple[str, int | None]] = {
            **dict.fromkeys(("value", *ends), ("float32", 1)),
            "embedding": ("float32", features),
            "id": ("object", 1),
        }
        self.signatures: Mapping[str, tuple[str, ...]] = {
            "serving_default": ("value",),
            "with_embedding": ("value", "embedding"),
            "with_id": ("value", *ends, "id"),  # what /feedback takes
        }

    def label(self, label: Any) -> float:
        return float(f"{label:.9g}")

    def predictions(self, answer: Answer, seal: Seal, now: float) -> list[dict[str, Any]]:
        return answer.each(self._predictions, seal, now)

    def receipts(self, answer: Answer, seal: Seal, now: float) -> list[str]:
        return answer.each(self._receipts, seal, now)

    def values(self, name: str, answer: Answer, seal: Seal, now: float) -> NDArray[Any] | list[Any]:
        if name == "value":
            return answer.outputs
        if name == "embedding":
            return answer.embedding
        if name == "id":
            return self.receipts(answer, seal, now)
        return self._ends(answer.outputs)[name == "upper"]

    def _predictions(self, answer: Answer, seal: Seal, now: float) -> list[dict[str, Any]]:
        values = answer.outputs[:, 0]
        rows: list[dict[str, Any]] = [
            {"id": receipt, "value": value} for receipt, value in zip(self._receipts(answer, seal, now), values, strict=True)
        ]
        if self._half_width is not None:
            for row, lower, upper in zip(rows, *self._ends(values), strict=True):
                row["lower"], row["upper"] = lower, upper
        return with_outlier(rows, answer)

    def _receipts(self, answer: Answer, seal: Seal, now: float) -> list[str]:
        values = answer.outputs[:, 0].tolist()
        if not all(map(math.isfinite, values)):
            raise not_a_number(self.subject)
        ids = seal.close_values(self.subject.fingerprint, now, values)
        answer.call.sealed.append((answer.start, ids))
        return ids

    def _ends(self, values: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        half = np.float32(self._half_width or 0.0)
        return values - half, values + half
