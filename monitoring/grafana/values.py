"""The rows of the dashboard "Veleta model" that are empty for some models: errors, of those that answer values; columns, of tables."""

from __future__ import annotations

from monitoring.grafana.layout import VARIANT, recorded
from monitoring.grafana.panels import ORANGE, RED, YELLOW, lines, shades

TESTED_MAE = f"max(veleta_reference_mean_absolute_error{{{VARIANT}}})"
#: What a panel says where there is nothing to show.
_NO_ERRORS = "fewer than 50 labels, or it answers classes"
_NO_COLUMNS = "no rows, or it takes no tables"


def errors() -> list[object]:
    return [
        lines(
            "Mean absolute error, by labels of the last hour",
            "In the unit of the target, with its 95 % interval. It is the error of the traffic if labels come for a random part.",
            "none",
            _with_interval("mean absolute error", "variant:veleta_absolute_error{}:mean") | {"when tested": TESTED_MAE},
            6,
            nothing=_NO_ERRORS,
        ),
        lines(
            "Root mean squared error, by labels of the last hour",
            "In the unit of the target, with its 95 % interval. Much more than the mean absolute error: a few answers are very wrong.",
            "none",
            _with_interval("root mean squared error", "variant:veleta_squared_error{}:root_mean")
            | {"when tested": f"max(veleta_reference_root_mean_squared_error{{{VARIANT}}})"},
            6,
            nothing=_NO_ERRORS,
        ),
        lines(
            "Truth within the interval, by labels of the last hour",
            "How often what it was lay between the answer's lower and upper, with its 95 % Wilson interval; and how often it should.",
            "percentunit",
            _with_interval("coverage", "variant:veleta_interval_coverage{}:ratio")
            | {"promised": f"max(veleta_reference_interval_coverage_ratio{{{VARIANT}}})"},
            6,
            nothing=_NO_ERRORS,
        ),
        lines(
            "The mean absolute error has grown by at least",
            "Beyond what chance makes of the labels and of the test set. Below 0: it may be what it was. Dashed, what alerts go by.",
            "percentunit",
            {"{{window}}": f"sum by (window) (variant:veleta_absolute_error_growth:ratio{{{VARIANT}}})"},
            6,
            {0.1: YELLOW, 0.5: RED},
            _NO_ERRORS,
        ),
    ]


def columns() -> list[object]:
    steps = {0.01: YELLOW, 0.1: ORANGE, 0.5: RED}
    return [
        shades(
            "Missing values by column",
            "Share of the rows of the window chosen above, the mean of all servers. More than when tested is drift of that column.",
            {"{{column}}": f'avg by (column) (veleta_column_missing_ratio{{{VARIANT}, window="$window"}})'},
            "percentunit",
            steps,
            nothing=_NO_COLUMNS,
        ),
        shades(
            "Categories that training did not know, by column",
            "Share of the rows of the window chosen above, the mean of all servers. The model answers as if nothing were known of them.",
            {"{{column}}": f'avg by (column) (veleta_column_unseen_ratio{{{VARIANT}, window="$window"}})'},
            "percentunit",
            steps,
            nothing=_NO_COLUMNS,
        ),
    ]


def _with_interval(name: str, rule: str) -> dict[str, str]:
    return {legend: recorded(rule.format(end), "1h") for legend, end in ((name, ""), ("lower", "_lower"), ("upper", "_upper"))}
