"""The routes that ask a model, of every protocol."""

from __future__ import annotations

from collections.abc import Mapping

from app.protocols import own
from app.protocols.exchange import Prediction

PREDICTIONS: tuple[Prediction, ...] = (*own.PREDICTIONS,)


def find(path: str) -> tuple[Prediction, Mapping[str, str]] | None:
    """The route of a path, and the parts of the path by name."""
    for prediction in PREDICTIONS:
        if match := prediction.pattern.fullmatch(path):
            return prediction, match.groupdict()
    return None
