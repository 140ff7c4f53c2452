"""The dashboard "Veleta model": how right is it, has the data changed since it was tested, and what does it answer."""

from __future__ import annotations

from grafana_foundation_sdk.builders.dashboard import Dashboard

from monitoring.grafana.layout import JOB, VARIANT, choice, found, page, recorded, which
from monitoring.grafana.panels import (
    GREEN,
    ORANGE,
    RED,
    YELLOW,
    bars,
    buckets,
    compared,
    lines,
    matrix,
    number,
    shades,
    shares,
    states,
)
from monitoring.grafana.values import TESTED_MAE, columns, errors

TESTED = f"max(veleta_reference_accuracy_ratio{{{VARIANT}}})"
#: What a panel says where there is nothing to show.
_NO_CLASSES = "no labels of classes"
#: PSI over its limit, from the counters of all replicas.
PSI_OVER_LIMIT = (
    f'signal:veleta_signal_bin:psi{{{VARIANT}, window="$window"}} / signal:veleta_signal_bin:psi_limit{{{VARIANT}, window="$window"}}'
)


def _outcomes(outcomes: str) -> str:
    return f'sum by (class) (class:veleta_class_outcome:increase{{{VARIANT}, window="24h", outcome=~"{outcomes}"}})'


def _now() -> list[object]:
    return [*_rightness(), *_changes()]


def _rightness() -> list[object]:
    return [
        number(
            "Accuracy, last hour",
            "Of the labels that arrived, where classes are answered. Its interval is shown below.",
            "percentunit",
            recorded("variant:veleta_accuracy:ratio", "1h"),
            nothing=_NO_CLASSES,
            span=3,
        ),
        number(
            "Accuracy when tested",
            "On held-back rows, before it was published.",
            "percentunit",
            TESTED,
            nothing="it answers values",
            span=3,
        ),
        number(
            "Mean error, last hour",
            "Mean absolute error of the labels that arrived, where values are answered. Its interval is shown below.",
            "none",
            recorded("variant:veleta_absolute_error:mean", "1h"),
            nothing="no labels of values",
            span=3,
        ),
        number(
            "Mean error when tested",
            "Mean absolute error on held-back rows, before it was published.",
            "none",
            TESTED_MAE,
            nothing="it answers classes",
            span=3,
        ),
        number(
            "Labelled, last 24 hours",
            "Labels for each prediction made.",
            "percentunit",
            recorded("variant:veleta_label_coverage:ratio", "24h"),
            nothing="no predictions",
            span=3,
        ),
    ]


def _changes() -> list[object]:
    return [
        number("Rows answered", "Per second.", "cps", f"sum(rate(veleta_predictions_total{{{VARIANT}}}[$__rate_interval]))", span=3),
        number(
            "Signals over their limit",
            "Of the window chosen above. One for a moment is chance; several, or one that stays, is drift.",
            "none",
            f"count({PSI_OVER_LIMIT} > 1) or 0 * count({PSI_OVER_LIMIT})",
            {1: YELLOW, 3: RED},
            span=3,
        ),
        number(
            "Change began",
            "About when the change began that the drift alarm stands for.",
            "dateTimeFromNow",
            f"1000 * min(veleta_drift_alarm_timestamp_seconds{{{VARIANT}}})",
            {1: RED},
            "no alarm",
            span=3,
        ),
    ]


def _accuracy() -> list[object]:
    return [
        lines(
            "Accuracy of what was labelled, last hour",
            "With its 95 % Wilson interval: few labels, wide interval. It is the accuracy of the traffic if labels come for a random part.",
            "percentunit",
            {
                "accuracy": recorded("variant:veleta_accuracy:ratio", "1h"),
                "lower": recorded("variant:veleta_accuracy_lower:ratio", "1h"),
                "upper": recorded("variant:veleta_accuracy_upper:ratio", "1h"),
                "when tested": TESTED,
            },
            nothing=_NO_CLASSES,
        ),
        lines(
            "Accuracy estimated without labels, last hour",
            "Three ways to tell it from the confidences alone; how far they are apart is how far to trust them.",
            "percentunit",
            {
                "{{method}}": f'avg by (method) (veleta_accuracy_estimated_ratio{{{VARIANT}, window="1h"}})',
                "when tested": TESTED,
            },
            nothing="no predictions, or it answers values",
        ),
        lines(
            "Calibration error",
            "How far confidence and accuracy are apart. Large: do not decide by the confidence.",
            "percentunit",
            {"{{window}}": f"max by (window) (veleta_calibration_error_ratio{{{VARIANT}}})"},
            nothing=_NO_CLASSES,
        ),
        *_by_class(),
    ]


def _by_class() -> list[object]:
    return [
        matrix(
            "Confusion, last 24 hours",
            "Rows: what it was. Columns: what the model said.",
            f'round(sum by (actual, predicted) (cell:veleta_confusion:increase{{{VARIANT}, window="24h"}}))',
            "actual",
            "predicted",
        ),
        bars(
            "Recall by class, last 24 hours",
            "Of the rows of a class, how many were found.",
            "percentunit",
            {"{{class}}": f"{_outcomes('tp')} / ({_outcomes('tp|fn')} > 0)"},
            6,
        ).height(10),
        bars(
            "Precision by class, last 24 hours",
            "Of the rows that were said to be of a class, how many were.",
            "percentunit",
            {"{{class}}": f"{_outcomes('tp')} / ({_outcomes('tp|fp')} > 0)"},
            6,
        ).height(10),
    ]


def _labels() -> list[object]:
    return [
        lines(
            "Labels",
            "Of the predictions made in the window; and labels that were refused.",
            "percentunit",
            {"coverage, {{window}}": f"sum by (window) (variant:veleta_label_coverage:ratio{{{VARIANT}}})"},
        ),
        buckets(
            "How late labels come",
            "From the prediction to its label.",
            "s",
            f"sum by (le) (increase(veleta_label_delay_seconds_bucket{{{VARIANT}}}[$__rate_interval]))",
        ),
        lines(
            "Labels by what came of them",
            "All models of the job. unknown: another secret; conflict: two labels for one prediction; expired: later than --label-days.",
            "cps",
            {"{{result}}": f"sum by (result) (rate(veleta_feedback_total{{{JOB}}}[$__rate_interval]))"},
        ),
    ]


def _drift() -> list[object]:
    return [
        shades(
            "Distance of each signal from the reference, over its limit",
            "Population stability index over all replicas, divided by the limit that is right for so many rows. From 1 on it is drift.",
            {"{{signal}}": PSI_OVER_LIMIT},
            "none",
            {0.5: YELLOW, 1: ORANGE, 2: RED},
        ),
        states(
            "Drift alarms by signal",
            "By the evidence below. A warning may be false once a day, an alarm once in 30 days unless the server was told otherwise.",
            {
                "{{signal}}": f'max by (signal) (2 * veleta_drift_alarm{{{VARIANT}, severity="alarm"}})'
                f' + max by (signal) (veleta_drift_alarm{{{VARIANT}, severity="warning"}})'
            },
            {"0": ("ok", GREEN), "1": ("warning", YELLOW), "2": ("alarm", RED)},
            height=10,
        ),
        lines(
            "Evidence against its levels",
            "Natural log of the Shiryaev-Roberts evidence of each signal, in ticks; dashed, what makes a warning and an alarm.",
            "none",
            {
                "{{signal}}": f"max by (signal) (veleta_drift_log_evidence{{{VARIANT}}})",
                "level of {{severity}}": f"max by (severity) (veleta_drift_level_log_evidence{{{JOB}}})",
            },
            12,
        ),
        lines(
            "Other statistics over their limit",
            "As each server computes them for its own traffic, the largest of all servers. Among them the embedding as a whole (MMD).",
            "none",
            {
                "{{signal}} {{statistic}}": "max by (signal, statistic) ("
                f'veleta_drift_statistic{{{VARIANT}, statistic!="psi", window="$window"}}'
                f' / veleta_drift_limit{{{VARIANT}, statistic!="psi", window="$window"}})'
            },
            12,
            {1: RED},
        ),
        compared(
            "The signal chosen above, bin by bin",
            "Share of the rows in each bin now (the window chosen above) and in the reference. Bins go from small values to large ones.",
            "percentunit",
            "bin",
            {
                "now": f'sum by (bin) (bin:veleta_signal_bin:ratio{{{VARIANT}, signal="$signal", window="$window"}})',
                "reference": f'sum by (bin) (bin:veleta_reference_bin:ratio{{{VARIANT}, signal="$signal"}})',
            },
        ),
        lines(
            "Rows that say as much as one",
            "Much more than 1: somebody sends the same again and again; evidence counts such rows for less.",
            "none",
            {"{{signal}}": f"max by (signal) (veleta_drift_overdispersion_ratio{{{VARIANT}}})"},
            12,
        ),
    ]


def _data() -> list[object]:
    levels = f"sum by (level) (rate(veleta_outlier_total{{{VARIANT}}}[$__rate_interval]))"
    return [
        shares(
            "Predicted classes",
            "Share of each class in the answers.",
            {"{{class}}": f"sum by (class) (rate(veleta_predictions_total{{{VARIANT}}}[$__rate_interval]))"},
        ),
        lines(
            "Outliers",
            "Share of the watched rows that are as far from their class as few or none of the reference.",
            "percentunit",
            {"{{level}}": f"{levels} / on () group_left () (sum({levels}) > 0)"},
        ),
        lines(
            "Data quality",
            "Share of the rows that fail a check. type, shape, not_finite: refused. Others: answered; the share of those that are watched.",
            "percentunit",
            {"{{check}}": f"sum by (check) (check:veleta_data_quality_failures:ratio10m{{{VARIANT}}})"},
        ),
    ]


def model() -> Dashboard:
    signals = found("signal", "Signal", f"label_values(veleta_reference_bin_ratio{{{VARIANT}}}, signal)")
    variables = [*which(several=False), choice("window", "Window", ["10m", "1h", "24h"], "1h"), signals]
    about = "How right it is, with intervals; drift against the reference; what comes in and what is answered."
    rows = {
        "Now": _now(),
        "Accuracy, of models that answer classes": _accuracy(),
        "Errors, of models that answer values": errors(),
        "Labels": _labels(),
        "Drift": _drift(),
        "Inputs and answers": _data(),
        "Columns, of models that take tables": columns(),
    }
    return page("model", about, variables, rows)
