"""The text of /metrics is what prometheus_client would write."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from monitoring.export.exposition import to_text


class Families(Collector):
    def __init__(self, families: list[Metric]) -> None:
        self._families = families

    def collect(self) -> Iterator[Metric]:
        yield from self._families


def families() -> list[Metric]:
    counter = CounterMetricFamily("veleta_answers", "Answers\nin \\ two lines", labels=["zebra", "class"])
    counter.add_metric(["a", 'seven "7"\n\\'], 12)
    counter.add_metric(["ü", ""], 1e21)
    gauge = GaugeMetricFamily("veleta_ratio", "Shares", labels=["window"])
    for window, value in (("1m", 0.1 + 0.2), ("10m", float("nan")), ("1h", float("inf")), ("24h", -0.0), ("x", 1.7e9)):
        gauge.add_metric([window], value)
    histogram = HistogramMetricFamily("veleta_seconds", "Time", labels=["route"])
    histogram.add_metric(["/"], [("0.1", 3), ("+Inf", 4)], 0.25)
    return [counter, gauge, histogram, GaugeMetricFamily("veleta_empty", "Nothing yet"), GaugeMetricFamily("veleta_one", "One", value=1)]


def test_it_is_what_the_client_library_writes() -> None:
    registry = CollectorRegistry()
    registry.register(Families(families()))

    assert to_text(families()) == generate_latest(registry)


@pytest.mark.parametrize("value", [0.0, 1.0, 123456.0, 1234567.0, 1e16, 1e-7, 3.5, float("-inf")])
def test_numbers_are_written_as_the_client_library_writes_them(value: float) -> None:
    registry, family = CollectorRegistry(), GaugeMetricFamily("one", "One", value=value)
    registry.register(Families([family]))

    assert to_text([family]) == generate_latest(registry)
