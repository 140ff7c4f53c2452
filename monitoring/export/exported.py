"""A subject as it is exported, and what its families of metrics share."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from prometheus_client.core import GaugeMetricFamily, HistogramMetricFamily, Metric

from monitoring.subject import Subject
from monitoring.track import Track
from monitoring.view import Window

#: The labels that say which variant a sample is about.
MODEL = ["model", "version", "variant"]
#: The same, and which window.
WINDOW = [*MODEL, "window"]


@dataclass(frozen=True)
class Exported:
    """One subject as it is exported."""

    subject: Subject
    track: Track
    windows: dict[str, Window]
    loaded_at: float

    @property
    def labels(self) -> list[str]:
        return [self.subject.manifest.name, str(self.subject.manifest.version), self.subject.variant]


def gauge(name: str, text: str, values: Iterable[tuple[list[str], float | None]]) -> Metric:
    """A gauge by window, absent where there is not enough data."""
    family = GaugeMetricFamily(name, text, labels=WINDOW)
    for labels, value in values:
        if value is not None:
            family.add_metric(labels, value)
    return family


def add_histogram(family: HistogramMetricFamily, labels: list[str], bounds: tuple[float, ...], counts: NDArray[Any], total: float) -> None:
    """Add the `counts` (len(bounds) + 1) of a histogram, the last bucket open, and the sum of its values."""
    up_to = np.cumsum(counts)
    buckets = [(str(float(bound)), rows) for bound, rows in zip(bounds, up_to[:-1], strict=True)]
    family.add_metric(labels, [*buckets, ("+Inf", up_to[-1])], total)
