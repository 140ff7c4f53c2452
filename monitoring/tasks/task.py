"""What every task can say: how labels add up, how right the answers are, and which errors are normal.

Everything that labels add up to is additive: a total over time (`label_layout`), and a sum for each stretch of time in which predictions
were made (`sums`). Only `scores` and `figure` make shares, means and intervals of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, Protocol

from numpy.typing import NDArray

from monitoring.accuracy.estimation import Estimate
from monitoring.accuracy.labels import Labels
from monitoring.accuracy.wilson import Interval
from monitoring.arrays import FloatArray
from monitoring.counts.layout import Layout

Parts = dict[str, NDArray[Any]]
#: The one figure that says how right answers are: a share, the more the better; or in the unit of the target, the less the better.
Measure = Literal["accuracy", "mae"]


@dataclass(frozen=True)
class Bins:
    """Bins of errors: the inner `edges` of those of a quantity, else the `names` of what lies in each; and how many held-back rows did."""

    names: tuple[str, ...]
    edges: FloatArray | None
    counts: FloatArray


class Task(Protocol):
    """One task of one variant."""

    @property
    def measure(self) -> Measure: ...

    @property
    def label_layout(self) -> Layout:
        """What labels add up to."""
        ...

    @property
    def width(self) -> int:
        """How many numbers a label adds to its cohort; the first is 1."""
        ...

    @property
    def errors(self) -> Bins | None:
        """The stream of errors and how it was on held-back rows; None if nothing is known of them."""
        ...

    @property
    def tested(self) -> Interval | None:
        """The `measure` on held-back rows."""
        ...

    def read_label(self, label: Any) -> float | None:
        """What a label in JSON stands for, as a number; None if it is none of this task."""
        ...

    def add_labels(self, total: FloatArray, labels: Labels) -> FloatArray:
        """The total, laid out as `label_layout` says, with these labels counted."""
        ...

    def sums(self, labels: Labels) -> FloatArray:
        """What each label adds to the cohort of its prediction, (n, width)."""
        ...

    def figure(self, sums: FloatArray) -> Interval | None:
        """The `measure` with its 95 % interval, of sums (width,); None without enough labels."""
        ...

    def binned_errors(self, parts: Parts) -> FloatArray:
        """Labelled rows in the bins of `errors`, out of the parts of a total of labels."""
        ...

    def estimated(self, answers: FloatArray, parts: Parts) -> Estimate | None:
        """The measure without labels, out of the counts of a variant, of which `answers` count the answers; None if it cannot be told."""
        ...

    def scores(self, labels: Parts, cohort: FloatArray, estimated: Estimate | None) -> Any:
        """All that is shown of a window: a dataclass, of labels that arrived in it and of the sums of its predictions' labels."""
        ...

    def answers(self, counts: FloatArray) -> dict[str, float]:
        """Rows by what was answered: by label, or all of them under the empty one."""
        ...

    def confusion(self, labels: Parts) -> dict[str, Any] | None:
        """Which class was taken for which, for a page; None if that is not known."""
        ...

    def per_row(self, outputs: FloatArray, labels: NDArray[Any]) -> FloatArray:
        """The measure of each row (n,), whose mean is that of all: 1 for a right answer, or the absolute error."""
        ...
