"""A case: everything there is to judge by when something has changed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from monitoring.accuracy.estimation import Estimate
from monitoring.accuracy.wilson import Interval, wilson
from monitoring.arrays import FloatArray
from monitoring.incidents.comparison import Comparison
from monitoring.reference import Reference


@dataclass(frozen=True)
class Check:
    """Rows that failed a check of the data and rows in all, before and since.

    >>> round(Check(10, 1000, 60, 100).more, 2), Check(10, 1000, 2, 100).more
    (0.59, 0.0)
    """

    failed_before: float
    rows_before: float
    failed: float
    rows: float

    @property
    def before(self) -> float:
        """Share of the rows."""
        return self.failed_before / self.rows_before if self.rows_before else 0.0

    @property
    def now(self) -> float:
        """Share of the rows."""
        return self.failed / self.rows if self.rows else 0.0

    @property
    def more(self) -> float:
        """By how much the share of failing rows is up, if that is no chance; else 0."""
        if not self.rows or (
            self.rows_before and wilson(self.failed, self.rows).lower <= wilson(self.failed_before, self.rows_before).upper
        ):
            return 0.0
        return max(0.0, self.now - self.before)


@dataclass(frozen=True)
class Case:
    """What there is to judge by.

    `normal` and `live` (bins,) count rows in the bins of all signals in a row; `overdispersion` says how many rows say as much as one
    independent row, by signal; `alarmed` names the streams that show the change. `estimated` and `labelled` say how right the live rows
    are, without and by labels, in shares of right answers or, where there are no `classes`, in mean absolute errors; `before`, how
    right answers were.
    """

    reference: Reference
    normal: FloatArray
    live: FloatArray
    overdispersion: Mapping[str, float]
    alarmed: frozenset[str]
    checks: Mapping[str, Check]
    classes: tuple[str, ...]
    estimated: Estimate | None = None
    labelled: Interval | None = None
    before: Interval | None = None

    @cached_property
    def change(self) -> Comparison:
        """The live rows against what was normal."""
        rows = {name: float(counts.sum()) for name, counts in self.reference.split(self.normal).items()}
        return self.against(self.normal, rows)

    @cached_property
    def moved(self) -> frozenset[str]:
        """The signals that are no longer as they were."""
        return self.change.over | (self.alarmed & self.reference.profiles.keys())

    def against(self, expected: FloatArray, rows: Mapping[str, float]) -> Comparison:
        """The live rows against what is expected of them (bins,), each signal of it as sure as so many independent rows."""
        return Comparison.of(self.reference, expected, rows, self.live, self.overdispersion)
