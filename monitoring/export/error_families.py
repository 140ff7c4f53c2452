"""What is exported of how far off values are: the windows as gauges, and the sums as counters.

The counters are enough to work the errors out in PromQL, over any time and any number of replicas: with the number of labels, which
`veleta_label_delay_seconds_count` has, MAE is the absolute errors by it, RMSE the root of the squared ones by it. The squares say how sure
the MAE is, the fourth powers how sure the RMSE is (`monitoring.accuracy.regression`); prometheus/rules/errors.yml does all that.
"""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from monitoring.accuracy.conformal import CONFIDENCE
from monitoring.accuracy.regression import Errors
from monitoring.accuracy.wilson import Interval
from monitoring.export.exported import MODEL, Exported, gauge
from monitoring.tasks.regression import RegressionScores

_Found = list[tuple[list[str], Errors | None]]


def error_families(shown: list[Exported]) -> Iterator[Metric]:
    """The families of metrics about errors, of the subjects that answer values."""
    windows = [([*one.labels, name], window.scores) for one in shown for name, window in one.windows.items()]
    found = [(at, scores) for at, scores in windows if isinstance(scores, RegressionScores)]
    yield from _errors("veleta_", "of labels that arrived in the window", [(at, scores.errors) for at, scores in found])
    yield from _errors(
        "veleta_cohort_",
        "of the window's predictions by the labels they have now",
        [(at, scores.errors_by_prediction_time) for at, scores in found],
    )
    of_values = [one for one in shown if one.subject.manifest.task == "regression"]
    yield from _sums(of_values)
    yield from _tested(of_values)
    yield from _promised(of_values)


def _errors(prefix: str, of: str, found: _Found) -> Iterator[Metric]:
    yield from _intervals(f"{prefix}mean_absolute_error", "", f"Mean absolute error {of}", [(at, e.mae if e else None) for at, e in found])
    yield from _intervals(
        f"{prefix}root_mean_squared_error", "", f"Root mean squared error {of}", [(at, e.rmse if e else None) for at, e in found]
    )
    yield from _intervals(
        f"{prefix}interval_coverage",
        "_ratio",
        f"Share of the true values in their 95 % interval, {of}",
        [(at, e.coverage if e else None) for at, e in found],
    )


def _intervals(name: str, unit: str, text: str, found: list[tuple[list[str], Interval | None]]) -> Iterator[Metric]:
    yield gauge(f"{name}{unit}", text, ((at, one.value if one else None) for at, one in found))
    yield gauge(f"{name}_lower{unit}", "Lower end of its 95 % interval", ((at, one.lower if one else None) for at, one in found))
    yield gauge(f"{name}_upper{unit}", "Upper end of its 95 % interval", ((at, one.upper if one else None) for at, one in found))


def _sums(shown: list[Exported]) -> Iterator[Metric]:
    absolute = CounterMetricFamily("veleta_absolute_error", "Sum of the absolute errors of labelled rows", labels=MODEL)
    squared = CounterMetricFamily("veleta_squared_error", "Sum of the squared errors of labelled rows", labels=MODEL)
    fourth = CounterMetricFamily("veleta_fourth_power_error", "Sum of the fourth powers of the errors of labelled rows", labels=MODEL)
    inside = CounterMetricFamily("veleta_interval_hits", "Labelled rows whose true value is in its 95 % interval", labels=MODEL)
    for one in shown:
        _, *sums = one.subject.task.label_layout.split(one.track.labels)["errors"].tolist()
        for family, total in zip((absolute, squared, fourth), sums, strict=False):
            family.add_metric(one.labels, total)
        if one.subject.reference.residuals and one.subject.reference.residuals.interval is not None:
            inside.add_metric(one.labels, sums[-1])
    yield from (absolute, squared, fourth, inside)


def _tested(shown: list[Exported]) -> Iterator[Metric]:
    """Errors on held-back rows. An error that grew is one beyond what both intervals, this one and that of the labels, allow."""
    for metric, name in (("mae", "mean_absolute_error"), ("rmse", "root_mean_squared_error")):
        text = name.replace("_", " ").capitalize()
        value = GaugeMetricFamily(f"veleta_reference_{name}", f"{text} on the held-back test rows", labels=MODEL)
        lower = GaugeMetricFamily(f"veleta_reference_{name}_lower", "Lower end of its 95 % interval", labels=MODEL)
        upper = GaugeMetricFamily(f"veleta_reference_{name}_upper", "Upper end of its 95 % interval", labels=MODEL)
        for one in shown:
            if found := one.subject.manifest.variant(one.subject.variant).metrics.get(metric):
                for family, end in ((value, found.value), (lower, found.lower), (upper, found.upper)):
                    family.add_metric(one.labels, end)
        yield from (value, lower, upper)


def _promised(shown: list[Exported]) -> Iterator[Metric]:
    """What the intervals hold the truth in, and the rows that they were fitted on: few rows, and they may hold it less often."""
    share = GaugeMetricFamily("veleta_reference_interval_coverage_ratio", "Share of the truths that intervals should hold", labels=MODEL)
    rows = GaugeMetricFamily("veleta_reference_interval_rows", "Rows that the width of the intervals was fitted on", labels=MODEL)
    for one in shown:
        residuals = one.subject.reference.residuals
        if residuals and residuals.interval is not None:
            share.add_metric(one.labels, CONFIDENCE)
            rows.add_metric(one.labels, residuals.rows)
    yield from (share, rows)
