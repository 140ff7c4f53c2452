"""The exporter: turns what there is to see into Prometheus' text format, at the moment of the scrape.

Nothing is kept here, so a scrape's size depends on the models served and never on uptime, restarts or recycled workers.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric

from monitoring.accuracy.labels import labelled_rows
from monitoring.counts.layout import BATCH_BOUNDS, CODES, DURATION_BOUNDS, FEEDBACK_RESULTS, REJECTIONS
from monitoring.counts.shared_counts import SharedCounts, alive
from monitoring.drift.alarm import Promise
from monitoring.export.accuracy_families import accuracy_families
from monitoring.export.column_families import column_families
from monitoring.export.drift_families import drift_families
from monitoring.export.error_families import error_families
from monitoring.export.exported import MODEL, Exported, add_histogram
from monitoring.export.exposition import to_text
from monitoring.signals.measure import QUALITY_CHECKS
from monitoring.subject import Subject
from monitoring.track import Track
from monitoring.view import windows
from monitoring.watch import Look
from monitoring.windows import WINDOWS


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
    return to_text([*_server(server, routes, matched, last_tick), *_subjects(shown, look.promise)])


def _server(counts: SharedCounts, routes: tuple[str, ...], matched: float, last_tick: float | None) -> Iterator[Metric]:
    parts = counts.layout.split(counts.total())
    requests = CounterMetricFamily("veleta_requests", "Requests answered", labels=["route", "code"])
    duration = HistogramMetricFamily("veleta_request_duration_seconds", "Time to answer a request", labels=["route"])
    for place, route in enumerate(routes):
        for code, number in zip(CODES, parts["requests"][place], strict=True):
            requests.add_metric([route, str(code)], number)
        add_histogram(duration, [route], DURATION_BOUNDS, parts["seconds"][place], parts["seconds_sum"][place, 0])
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


def _subjects(shown: list[Exported], promise: Promise) -> Iterator[Metric]:
    yield from _about(shown)
    yield from _predictions(shown)
    yield from _references(shown)
    yield from column_families(shown)
    yield from accuracy_families(shown)
    yield from error_families(shown)
    yield from drift_families(shown, promise)


def _about(shown: list[Exported]) -> Iterator[Metric]:
    info = GaugeMetricFamily("veleta_model_info", "What is served, 1 each", labels=[*MODEL, "task", "created"])
    since = GaugeMetricFamily("veleta_model_loaded_timestamp_seconds", "When the variant was taken up", labels=MODEL)
    for one in shown:
        if one.loaded_at:
            info.add_metric([*one.labels, one.subject.manifest.task, one.subject.manifest.created], 1)
            since.add_metric(one.labels, one.loaded_at)
    yield from (info, since)


def _predictions(shown: list[Exported]) -> Iterator[Metric]:
    answers = CounterMetricFamily("veleta_predictions", "Rows answered, by predicted class if there are classes", labels=[*MODEL, "class"])
    bins = CounterMetricFamily("veleta_signal_bin", "Watched rows by signal and bin of the reference", labels=[*MODEL, "signal", "bin"])
    failures = CounterMetricFamily("veleta_data_quality_failures", "Watched rows or requests that failed a check", labels=[*MODEL, "check"])
    outliers = CounterMetricFamily("veleta_outlier", "Watched rows by how far they are from their class", labels=[*MODEL, "level"])
    inference = HistogramMetricFamily("veleta_inference_duration_seconds", "Time of one call of the model", labels=MODEL)
    queue = HistogramMetricFamily("veleta_queue_duration_seconds", "Time that a request waited for the model", labels=MODEL)
    batch = HistogramMetricFamily("veleta_batch_size", "Rows that were answered together", labels=MODEL)
    for one in shown:
        parts = one.subject.layout.split(one.track.counts)
        reference = one.subject.reference
        for label, rows in one.subject.task.answers(one.subject.answered(one.track.counts)).items():
            answers.add_metric([*one.labels, label], rows)
        for signal, counts in reference.split(parts["signals"]).items():
            for number, rows in enumerate(counts):
                bins.add_metric([*one.labels, signal, str(number)], rows)
        for check, rows in zip(QUALITY_CHECKS, parts["quality"], strict=True):
            failures.add_metric([*one.labels, check], rows)
        if ranks := reference.ranks:
            for level, rows in zip(ranks.levels, parts["outlier"], strict=True):
                outliers.add_metric([*one.labels, level], rows)
        add_histogram(inference, one.labels, DURATION_BOUNDS, parts["inference"], parts["inference_sum"][0])
        add_histogram(queue, one.labels, DURATION_BOUNDS, parts["queue"], parts["queue_sum"][0])
        add_histogram(batch, one.labels, BATCH_BOUNDS, parts["batch"], parts["batch_sum"][0])
    yield from (answers, bins, failures, outliers, inference, queue, batch)


def _references(shown: list[Exported]) -> Iterator[Metric]:
    ratio = GaugeMetricFamily("veleta_reference_bin_ratio", "Share of the reference in a bin", labels=[*MODEL, "signal", "bin"])
    rows = GaugeMetricFamily("veleta_reference_rows", "Rows of the reference", labels=MODEL)
    accuracy = GaugeMetricFamily("veleta_reference_accuracy_ratio", "Accuracy on the held-back test rows", labels=MODEL)
    for one in shown:
        reference, task = one.subject.reference, one.subject.task
        rows.add_metric(one.labels, reference.rows)
        if task.tested and task.measure == "accuracy":
            accuracy.add_metric(one.labels, task.tested.value)
        for signal, profile in reference.profiles.items():
            for number, count in enumerate(profile.counts):
                ratio.add_metric([*one.labels, signal, str(number)], count / reference.rows)
    yield from (ratio, rows, accuracy)


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
    return labelled_rows(subject.task.label_layout.split(track.labels))
