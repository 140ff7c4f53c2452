"""The families of metrics about drift: the statistics of the windows with their limits, the evidence, and the alarms."""

from __future__ import annotations

import math
from collections.abc import Iterator

from prometheus_client.core import GaugeMetricFamily, Metric

from monitoring.drift.alarm import Promise
from monitoring.drift.streams import streams_of
from monitoring.export.exported import MODEL, Exported

_SEVERITIES = ("warning", "alarm")


def drift_families(shown: list[Exported], promise: Promise) -> Iterator[Metric]:
    """What is watched of each subject. An alarm of what is no longer served is history: only the incident tells of it."""
    yield from _statistics(shown)
    yield from _evidence(shown)
    yield from _alarms(shown, promise)


def _statistics(shown: list[Exported]) -> Iterator[Metric]:
    names = [*MODEL, "signal", "statistic", "window"]
    value = GaugeMetricFamily("veleta_drift_statistic", "Distance of a signal in the window from the reference", labels=names)
    limit = GaugeMetricFamily("veleta_drift_limit", "What the statistic stays under without drift, for these rows", labels=names)
    for one in shown:
        for name, window in one.windows.items():
            for drift in window.drift:
                if drift.value is not None and drift.limit is not None:
                    value.add_metric([*one.labels, drift.signal, drift.statistic, name], drift.value)
                    limit.add_metric([*one.labels, drift.signal, drift.statistic, name], drift.limit)
    yield from (value, limit)


def _evidence(shown: list[Exported]) -> Iterator[Metric]:
    names = [*MODEL, "signal"]
    logs = GaugeMetricFamily("veleta_drift_log_evidence", "Natural log of the evidence for a change, in ticks", labels=names)
    burstiness = GaugeMetricFamily("veleta_drift_overdispersion_ratio", "Rows that say as much as one independent row", labels=names)
    for one in shown:
        evidence, streams = one.track.vigil.evidence, streams_of(one.subject)
        for name, log, ratio in zip(streams.names, evidence.log_evidence.tolist(), evidence.overdispersion.tolist(), strict=True):
            if math.isfinite(log):
                logs.add_metric([*one.labels, name], log)
                burstiness.add_metric([*one.labels, name], ratio)
    yield from (logs, burstiness)


def _alarms(shown: list[Exported], promise: Promise) -> Iterator[Metric]:
    level = GaugeMetricFamily("veleta_drift_level_log_evidence", "Natural log of the evidence that makes a severity", labels=["severity"])
    for severity, log in zip(_SEVERITIES, (promise.log_warning, promise.log_alarm), strict=True):
        level.add_metric([severity], log)
    alarms = GaugeMetricFamily("veleta_drift_alarm", "1 where a signal shows a change", labels=[*MODEL, "signal", "severity"])
    since = GaugeMetricFamily("veleta_drift_alarm_timestamp_seconds", "About when the change that stands began", labels=MODEL)
    for one in shown:
        vigil, streams = one.track.vigil, streams_of(one.subject)
        for name in streams.names:
            found = vigil.signal_severity(name, streams, promise) if one.loaded_at else "ok"
            for severity in _SEVERITIES:
                alarms.add_metric([*one.labels, name, severity], float(found == severity))
        if vigil.alarm and one.loaded_at:
            since.add_metric(one.labels, vigil.alarm.since)
    yield from (level, alarms, since)
