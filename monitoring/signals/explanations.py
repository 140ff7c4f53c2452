"""Explanations: what the signals would look like if only the mix of the classes changed, or if a client sent its values in a wrong form.

Both are counted on the reference rows, once. Live counts can then be held against a mixture of them (`monitoring.signals.mixture`): if only
the shares of the classes have changed, *every* signal is a mixture of what it is for the rows of each class.

>>> edges = {"class": np.array([0.5]), "size": np.array([10.0])}
>>> found = Explanations.of({"class": np.array([0.0, 1.0, 1.0]), "size": np.array([5.0, 50.0, 7.0])}, edges, np.array([0, 1, 1]), {}, 2)
>>> found.by_class.tolist()
[[1, 0, 1, 0], [0, 2, 1, 1]]
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from monitoring.arrays import Arrays, FloatArray, IntArray
from monitoring.signals.binning import bin_counts

#: Signal → its value for each row (n,).
Signals = Mapping[str, FloatArray]


@dataclass(frozen=True)
class Explanations:
    """Counts over the bins of all signals in a row.

    `by_class` (classes, bins): the reference rows of each class, by their labels; `faults`: name → (bins,), reference rows as that fault
    of a client would send them (`monitoring.signals.faults`).
    """

    by_class: IntArray
    faults: dict[str, IntArray]

    @classmethod
    def of(
        cls, measured: Signals, edges: Mapping[str, FloatArray], labels: NDArray[Any], faults: Mapping[str, Signals], classes: int
    ) -> Explanations:
        """Of the signals `measured` on reference rows (n,) with class numbers `labels` (n,), and of those measured under each fault."""
        rows = [labels == label for label in range(classes)]
        by_class = [np.concatenate([bin_counts(measured[name][chosen], cut) for name, cut in edges.items()]) for chosen in rows]
        return cls(
            np.stack(by_class) if rows else np.zeros((0, sum(len(cut) + 1 for cut in edges.values())), dtype=np.int64),
            {fault: np.concatenate([bin_counts(seen[name], cut) for name, cut in edges.items()]) for fault, seen in faults.items()},
        )

    def to_arrays(self) -> Arrays:
        return {"by_class": self.by_class, **{f"faults/{name}": counts for name, counts in self.faults.items()}}

    @classmethod
    def from_arrays(cls, arrays: Arrays) -> Explanations:
        faults = {name.removeprefix("faults/"): counts for name, counts in arrays.items() if name.startswith("faults/")}
        return cls(arrays["by_class"], faults)
