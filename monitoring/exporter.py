"""The exporter: turns what there is to see into Prometheus' text format, at the moment of the scrape.

Nothing is kept here, so a scrape's size depends on the models served and never on uptime, restarts or recycled workers.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from monitoring.layout import BATCH_BOUNDS, CODES, DELAY_BOUNDS, DURATION_BOUNDS, FEEDBACK_RESULTS, REJECTIONS
from monitoring.shared_counts import SharedCounts, alive
from monitoring.signals import QUALITY_CHECKS
from monitoring.subject import Subject
from monitoring.track import Track
from monitoring.view import Window, windows
from monitoring.watch import Look
from monitoring.windows import WINDOWS

_MODEL = ["model", "version", "variant"]


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


def export(server: SharedCounts, routes: tuple[str, ...], look: Look, loaded: dict[str, float], last_tick: float | None) -> bytes:
    """The text of /metrics. `loaded` says of the subjects that are served now since when (seconds since 1970).

    A subject that is no longer served stays as long as something was counted of it within the longest window.
    """
    shown = [
        Exported(subject, track, windows(subject, track, look.time), loaded.get(key, 0.0))
        for key, (subject, track) in look.subjects.items()
        if key in loaded or track.moved_at > look.time - max(WINDOWS.values())
    ]
    matched = sum(_matched(subject, track) for subject, track in look.subjects.values())
    registry = CollectorRegistry()
    registry.register(_Families([*_server(server, routes, matched, last_tick), *_subjects(shown)]))
    return generate_latest(registry)


class _Families(Collector):
    def __init__(self, families: Iterable[Metric]) -> None:
        self._families = list(families)

    def collect(self) -> Iterator[Metric]:
        yield from self._families


def _server(counts: SharedCounts, routes: tuple[str, ...], matched: float, last_tick: float | None) -> Iterator[Metric]:
    parts = counts.layout.split(counts.total())
    requests = CounterMetricFamily("veleta_requests", "Requests answered", labels=["route", "code"])
    duration = HistogramMetricFamily("veleta_request_duration_seconds", "Time to answer a request", labels=["route"])
    for place, route in enumerate(routes):
        for code, number in zip(CODES, parts["requests"][place], strict=True):
            requests.add_metric([route, str(code)], number)
        _add_histogram(duration, [route], DURATION_BOUNDS, parts["seconds"][place], parts["seconds_sum"][place, 0])
    yield requests
    yield duration
    yield _counter("veleta_feedback", "Labels received", "result", FEEDBACK_RESULTS, [matched, *parts["feedback"][1:]])
    yield _counter("veleta_rejected_requests", "Well-formed requests turned away", "reason", REJECTIONS, parts["rejected"])
    rows = [counts.layout.split(row) for row in counts.rows]
    living = alive({"pid": np.array([row["pid"] for row in rows])})
    in_flight = sum(row["in_flight"][0] for row, lives in zip(rows, living, strict=True) if lives)
    yield _gauge("veleta_in_flight_requests", "Requests being answered", in_flight)
    if last_tick is not None:
        yield _gauge("veleta_monitor_last_tick_timestamp_seconds", "When the watch last ticked", last_tick)


def _subjects(shown: list[Exported]) -> Iterator[Metric]:
    yield from _about(shown)
    yield from _predictions(shown)
    yield from _references(shown)
    yield from _labels(shown)
    yield from _accuracy(shown)
    yield from _drift(shown)


def _about(shown: list[Exported]) -> Iterator[Metric]:
    info = GaugeMetricFamily("veleta_model_info", "What is served, 1 each", labels=[*_MODEL, "task", "created"])
    since = GaugeMetricFamily("veleta_model_loaded_timestamp_seconds", "When the variant was taken up", labels=_MODEL)
    for one in shown:
        if one.loaded_at:
            info.add_metric([*one.labels, one.subject.manifest.task, one.subject.manifest.created], 1)
            since.add_metric(one.labels, one.loaded_at)
    yield from (info, since)


def _predictions(shown: list[Exported]) -> Iterator[Metric]:
    answers = CounterMetricFamily("veleta_predictions", "Rows answered, by predicted class", labels=[*_MODEL, "class"])
    bins = CounterMetricFamily("veleta_signal_bin", "Rows by signal and bin of the reference", labels=[*_MODEL, "signal", "bin"])
    failures = CounterMetricFamily("veleta_data_quality_failures", "Rows or requests that failed a check", labels=[*_MODEL, "check"])
    inference = HistogramMetricFamily("veleta_inference_duration_seconds", "Time of one call of the model", labels=_MODEL)
    queue = HistogramMetricFamily("veleta_queue_duration_seconds", "Time that a request waited for the model", labels=_MODEL)
    batch = HistogramMetricFamily("veleta_batch_size", "Rows that one call of the model answered", labels=_MODEL)
    for one in shown:
        parts = one.subject.layout.split(one.track.counts)
        signals = one.subject.reference.split(parts["signals"])
        for label, rows in zip(one.subject.manifest.classes, signals["class"], strict=True):
            answers.add_metric([*one.labels, label], rows)
        for signal, counts in signals.items():
            for number, rows in enumerate(counts):
                bins.add_metric([*one.labels, signal, str(number)], rows)
        for check, rows in zip(QUALITY_CHECKS, parts["quality"], strict=True):
            failures.add_metric([*one.labels, check], rows)
        _add_histogram(inference, one.labels, DURATION_BOUNDS, parts["inference"], parts["inference_sum"][0])
        _add_histogram(queue, one.labels, DURATION_BOUNDS, parts["queue"], parts["queue_sum"][0])
        _add_histogram(batch, one.labels, BATCH_BOUNDS, parts["batch"], parts["batch_sum"][0])
    yield from (answers, bins, failures, inference, queue, batch)


def _references(shown: list[Exported]) -> Iterator[Metric]:
    ratio = GaugeMetricFamily("veleta_reference_bin_ratio", "Share of the reference in a bin", labels=[*_MODEL, "signal", "bin"])
    rows = GaugeMetricFamily("veleta_reference_rows", "Rows of the reference", labels=_MODEL)
    for one in shown:
        reference = one.subject.reference
        rows.add_metric(one.labels, reference.rows)
        for signal, profile in reference.profiles.items():
            for number, count in enumerate(profile.counts):
                ratio.add_metric([*one.labels, signal, str(number)], count / reference.rows)
    yield from (ratio, rows)


def _labels(shown: list[Exported]) -> Iterator[Metric]:
    cells = CounterMetricFamily("veleta_confusion", "Labelled rows, predicted against actual", labels=[*_MODEL, "predicted", "actual"])
    outcomes = CounterMetricFamily("veleta_class_outcome", "Labelled rows by class and outcome", labels=[*_MODEL, "class", "outcome"])
    delay = HistogramMetricFamily("veleta_label_delay_seconds", "Time from a prediction to its label", labels=_MODEL)
    for one in shown:
        parts, classes = one.subject.label_layout.split(one.track.labels), one.subject.manifest.classes
        if "confusion" in parts:
            for actual, row in zip(classes, parts["confusion"], strict=True):
                for predicted, rows in zip(classes, row, strict=True):
                    cells.add_metric([*one.labels, predicted, actual], rows)
        else:
            for outcome, row in zip(("tp", "fp", "fn"), parts["outcomes"], strict=True):
                for label, rows in zip(classes, row, strict=True):
                    outcomes.add_metric([*one.labels, label, outcome], rows)
        _add_histogram(delay, one.labels, DELAY_BOUNDS, parts["delay"], parts["delay_sum"][0])
    yield from (cells, outcomes, delay)


def _accuracy(shown: list[Exported]) -> Iterator[Metric]:
    value = GaugeMetricFamily("veleta_accuracy_ratio", "Accuracy of labels that arrived in the window", labels=[*_MODEL, "window"])
    lower = GaugeMetricFamily("veleta_accuracy_lower_ratio", "Lower end of its 95 % Wilson interval", labels=[*_MODEL, "window"])
    upper = GaugeMetricFamily("veleta_accuracy_upper_ratio", "Upper end of its 95 % Wilson interval", labels=[*_MODEL, "window"])
    coverage = GaugeMetricFamily("veleta_label_coverage_ratio", "Share of the window's predictions labelled", labels=[*_MODEL, "window"])
    for one in shown:
        for name, window in one.windows.items():
            if window.accuracy:
                value.add_metric([*one.labels, name], window.accuracy.value)
                lower.add_metric([*one.labels, name], window.accuracy.lower)
                upper.add_metric([*one.labels, name], window.accuracy.upper)
            if window.coverage is not None:
                coverage.add_metric([*one.labels, name], window.coverage)
    yield from (value, lower, upper, coverage)


def _drift(shown: list[Exported]) -> Iterator[Metric]:
    names = [*_MODEL, "signal", "statistic", "window"]
    value = GaugeMetricFamily("veleta_drift_statistic", "Distance of a signal in the window from the reference", labels=names)
    limit = GaugeMetricFamily("veleta_drift_limit", "What the statistic stays under without drift, for these rows", labels=names)
    for one in shown:
        for name, window in one.windows.items():
            for drift in window.drift:
                if drift.value is not None and drift.limit is not None:
                    value.add_metric([*one.labels, drift.signal, drift.statistic, name], drift.value)
                    limit.add_metric([*one.labels, drift.signal, drift.statistic, name], drift.limit)
    yield from (value, limit)


def _add_histogram(family: HistogramMetricFamily, labels: list[str], bounds: tuple[float, ...], counts: NDArray[Any], total: float) -> None:
    up_to = np.cumsum(counts)
    buckets = [(str(float(bound)), rows) for bound, rows in zip(bounds, up_to[:-1], strict=True)]
    family.add_metric(labels, [*buckets, ("+Inf", up_to[-1])], total)


def _counter(name: str, help_text: str, label: str, values: Iterable[str], counts: Iterable[float]) -> Metric:
    family = CounterMetricFamily(name, help_text, labels=[label])
    for value, count in zip(values, counts, strict=True):
        family.add_metric([value], count)
    return family


def _gauge(name: str, help_text: str, value: float) -> Metric:
    family = GaugeMetricFamily(name, help_text)
    family.add_metric([], value)
    return family


def _matched(subject: Subject, track: Track) -> float:
    return float(subject.label_layout.split(track.labels)["delay"].sum())
