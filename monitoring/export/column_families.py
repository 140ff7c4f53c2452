"""What is exported of the columns of tables beside their bins: how much is missing, and how much was never seen in training.

Of each window, out of the same counts as the bins; a column without rows in the window has none.
"""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client.core import GaugeMetricFamily, Metric

from monitoring.export.exported import WINDOW, Exported
from monitoring.view import ColumnShares


def column_families(shown: list[Exported]) -> Iterator[Metric]:
    """The families of metrics about columns, of the subjects that take tables."""
    missing = GaugeMetricFamily("veleta_column_missing_ratio", "Share of the window's rows without a value", labels=[*WINDOW, "column"])
    unseen = GaugeMetricFamily(
        "veleta_column_unseen_ratio", "Share of the window's rows with a category that training did not know", labels=[*WINDOW, "column"]
    )
    for one in shown:
        for name, window in one.windows.items():
            for column in window.columns:
                _add(missing, unseen, [*one.labels, name], column)
    yield from (missing, unseen)


def _add(missing: GaugeMetricFamily, unseen: GaugeMetricFamily, labels: list[str], column: ColumnShares) -> None:
    missing.add_metric([*labels, column.name], column.missing)
    if column.unseen is not None:
        unseen.add_metric([*labels, column.name], column.unseen)
