"""The routes that ask a model, of every protocol."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

from app.protocols import invocations, open_inference, own, tensorflow_serving
from app.protocols.exchange import Prediction

PREDICTIONS: tuple[Prediction, ...] = (
    *own.PREDICTIONS,
    *open_inference.PREDICTIONS,
    *tensorflow_serving.PREDICTIONS,
    *invocations.PREDICTIONS,
)


@lru_cache(maxsize=1024)
def find(path: str) -> tuple[Prediction, Mapping[str, str]] | None:
    """The route of a path, and the parts of the path by name."""
    for prediction in PREDICTIONS:
        if match := prediction.pattern.fullmatch(path):
            return prediction, match.groupdict()
    return None
