"""What is exported of labels, and of how right classes are: by labels, and by estimates without them. Of values: `error_families`.

The counters are enough to work accuracy and the shares of classes out in PromQL, over any time and any number of replicas. That is why
those of single classes are gauges only for the longest window, and only where the whole confusion matrix is kept: three more would be
180 more series for 20 classes, and hold nothing new.
"""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric

from monitoring.accuracy.calibration_error import CalibrationError
from monitoring.accuracy.estimation import METHODS, Estimate
from monitoring.accuracy.wilson import Interval
from monitoring.counts.layout import CONFUSION_CLASSES, DELAY_BOUNDS
from monitoring.export.exported import MODEL, WINDOW, Exported, add_histogram, gauge
from monitoring.tasks.classification import ClassificationScores
from monitoring.windows import WINDOWS

_LONGEST = max(WINDOWS, key=lambda name: WINDOWS[name])


def accuracy_families(shown: list[Exported]) -> Iterator[Metric]:
    """The families of metrics about labels, of all subjects, and about accuracy, of those that answer classes."""
    windows = [([*one.labels, name], window) for one in shown for name, window in one.windows.items()]
    found = [(at, window.scores) for at, window in windows if isinstance(window.scores, ClassificationScores)]
    yield from _labels(shown)
    yield from _intervals("veleta_accuracy", "Accuracy of labels that arrived in the window", [(at, w.accuracy) for at, w in found])
    yield from _intervals(
        "veleta_cohort_accuracy",
        "Accuracy of the window's predictions by the labels they have now",
        [(at, w.accuracy_by_prediction_time) for at, w in found],
    )
    yield gauge("veleta_label_coverage_ratio", "Share of the window's predictions labelled", [(at, w.coverage) for at, w in windows])
    yield from _calibration([(at, w.calibration_error) for at, w in found])
    yield _expected_hits(shown)
    yield from _estimates([(at, w.estimated) for at, w in found])
    yield from _classes(shown)


def _labels(shown: list[Exported]) -> Iterator[Metric]:
    cells = CounterMetricFamily("veleta_confusion", "Labelled rows, predicted against actual", labels=[*MODEL, "predicted", "actual"])
    outcomes = CounterMetricFamily("veleta_class_outcome", "Labelled rows by class and outcome", labels=[*MODEL, "class", "outcome"])
    delay = HistogramMetricFamily("veleta_label_delay_seconds", "Time from a prediction to its label", labels=MODEL)
    for one in shown:
        parts, classes = one.subject.task.label_layout.split(one.track.labels), one.subject.manifest.classes
        if "confusion" in parts:
            for actual, row in zip(classes, parts["confusion"], strict=True):
                for predicted, rows in zip(classes, row, strict=True):
                    cells.add_metric([*one.labels, predicted, actual], rows)
        elif "outcomes" in parts:
            for outcome, row in zip(("tp", "fp", "fn"), parts["outcomes"], strict=True):
                for label, rows in zip(classes, row, strict=True):
                    outcomes.add_metric([*one.labels, label, outcome], rows)
        add_histogram(delay, one.labels, DELAY_BOUNDS, parts["delay"], parts["delay_sum"][0])
    yield from (cells, outcomes, delay)


def _intervals(name: str, text: str, found: list[tuple[list[str], Interval | None]]) -> Iterator[Metric]:
    yield gauge(f"{name}_ratio", text, ((at, one.value if one else None) for at, one in found))
    yield gauge(f"{name}_lower_ratio", "Lower end of its 95 % Wilson interval", ((at, one.lower if one else None) for at, one in found))
    yield gauge(f"{name}_upper_ratio", "Upper end of its 95 % Wilson interval", ((at, one.upper if one else None) for at, one in found))


def _calibration(found: list[tuple[list[str], CalibrationError | None]]) -> Iterator[Metric]:
    value, expected = "veleta_calibration_error_ratio", "veleta_calibration_error_expected_ratio"
    yield gauge(
        value, "Expected calibration error of the answers whose labels arrived", ((at, one.value if one else None) for at, one in found)
    )
    yield gauge(expected, "What a perfectly calibrated model would show of it", ((at, one.expected if one else None) for at, one in found))


def _expected_hits(shown: list[Exported]) -> Metric:
    family = CounterMetricFamily("veleta_estimated_hits", "Answers that are right as estimated without labels", labels=[*MODEL, "method"])
    for one in shown:
        if one.subject.reference.calibration:
            sums = one.subject.layout.split(one.track.counts)["estimates"]
            for method, total in zip(METHODS, sums, strict=False):
                family.add_metric([*one.labels, method], total)
    return family


def _estimates(found: list[tuple[list[str], Estimate | None]]) -> Iterator[Metric]:
    ratio = GaugeMetricFamily("veleta_accuracy_estimated_ratio", "Accuracy estimated without labels", labels=[*WINDOW, "method"])
    for labels, one in found:
        for name, method in (one.methods if one else {}).items():
            ratio.add_metric([*labels, name], method.value)
    yield ratio
    lower, upper = "veleta_accuracy_estimated_lower_ratio", "veleta_accuracy_estimated_upper_ratio"
    yield gauge(lower, "The lowest estimate less two standard errors", ((at, one.lower if one else None) for at, one in found))
    yield gauge(upper, "The highest estimate and two standard errors", ((at, one.upper if one else None) for at, one in found))


def _classes(shown: list[Exported]) -> Iterator[Metric]:
    for part in ("precision", "recall", "f1"):
        family = GaugeMetricFamily(
            f"veleta_class_{part}_ratio", f"{part.capitalize()} of a class, of labels that arrived", labels=[*WINDOW, "class"]
        )
        for one in shown:
            classes = one.subject.manifest.classes
            scores = one.windows[_LONGEST].scores
            if not isinstance(scores, ClassificationScores) or len(classes) > CONFUSION_CLASSES:
                continue
            for label, value in zip(classes, getattr(scores.class_scores, part), strict=True):
                if value is not None:
                    family.add_metric([*one.labels, _LONGEST, label], value)
        yield family
