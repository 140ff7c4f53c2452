"""ADWIN and Page-Hinkley of river, one on each signal: `river_detectors.py IN.npz OUT.npz`, run in an environment that has river.

IN has `values` (rows, signals), `drawn` (runs, ticks, n) numbers of rows, `settling`, the number of ticks before the shift, `deltas` of
ADWIN, and `limits` (1 + deltas,) at which a run need not go on; 0 for Page-Hinkley leaves it out. OUT has `paths` (…, runs, ticks): the
statistic of Page-Hinkley, or for each delta 1 where ADWIN saw a change.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
from river import drift


class TracedPageHinkley(drift.PageHinkley):
    """Never sure, but says how sure."""

    statistic = 0.0

    def _test_both(self, test_increase: float, test_decrease: float) -> bool:
        self.statistic = max(test_increase, test_decrease)
        return False


def page_hinkley(values: Any, drawn: Any, settling: int, limit: float) -> Any:
    """The largest statistic of all signals by each tick (ticks,)."""
    standard = ((values - values[drawn[:settling]].mean(axis=(0, 1))) / (values[drawn[:settling]].std(axis=(0, 1)) + 1e-9)).tolist()
    detectors = [TracedPageHinkley() for _ in standard[0]]
    path = np.full(len(drawn), -np.inf)
    for tick, rows in enumerate(drawn):
        for row in rows:
            for detector, value in zip(detectors, standard[row], strict=True):
                detector.update(value)
        path[tick] = max(detector.statistic for detector in detectors)
        if tick >= settling and path[tick] >= limit:
            break
    return path


def adwin(values: Any, drawn: Any, settling: int, delta: float, limit: float) -> Any:
    """1 in each tick in which any signal's ADWIN saw a change (ticks,). Values are ranks among those before the shift: 0 to 1."""
    before = np.sort(values[drawn[:settling].ravel()], axis=0)
    ranks = np.column_stack([_ranks(before[:, signal], values[:, signal]) for signal in range(values.shape[1])]).tolist()
    detectors = [drift.ADWIN(delta=delta) for _ in ranks[0]]
    path = np.zeros(len(drawn))
    for tick, rows in enumerate(drawn):
        for row in rows:
            for detector, value in zip(detectors, ranks[row], strict=True):
                detector.update(value)
                if detector.drift_detected:
                    path[tick] = 1
        if tick >= settling and path[tick] >= limit:
            break
    return path


def _ranks(before: Any, values: Any) -> Any:
    return (np.searchsorted(before, values, side="left") + np.searchsorted(before, values, side="right")) / (2 * len(before))


def main(given: str, written: str) -> None:
    with np.load(given) as file:
        values, drawn, settling = file["values"], file["drawn"], int(file["settling"])
        deltas, limits = file["deltas"].tolist(), file["limits"].tolist()
    paths = [[page_hinkley(values, run, settling, limits[0]) for run in drawn]] if limits[0] else []
    paths += [[adwin(values, run, settling, delta, limit) for run in drawn] for delta, limit in zip(deltas, limits[1:], strict=True)]
    np.savez(written, paths=np.array(paths))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
