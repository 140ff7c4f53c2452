"""The detectors, all asked alike: a statistic at each tick of each run, the larger the less like the reference; the limit comes later.

Rivals look at sliding windows of several lengths. Each length has a limit of its own and an equal part of the false alarms, as the
half-lives have in Veleta's average; so a strong shift is found by the short window and a weak one by the long one.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from benchmarks.drift.world import Answered, Deployment
from monitoring.arrays import FloatArray, IntArray
from monitoring.drift.evidence import Evidence

#: Predictions in a window.
WINDOWS = (200, 1000, 5000)
#: Pairs of rows whose median distance is the width of the kernel.
_PAIRS = 2000


class Detector(Protocol):
    """`paths` gives (kinds, runs, ticks) for drawn rows (runs, ticks, n): numbers of rows of the world, or n + those of `after`.

    Each kind has a limit of its own. `limits` end the work where every run is over one of them.
    """

    name: str

    def paths(self, deployment: Deployment, after: Answered, drawn: IntArray, limits: FloatArray | None = None) -> FloatArray: ...


class Veleta:
    """The evidence of `monitoring.drift.evidence`: log of the average of R over streams and half-lives."""

    name = "Veleta"

    def paths(self, deployment: Deployment, after: Answered, drawn: IntArray, limits: FloatArray | None = None) -> FloatArray:
        rows, streams = np.concatenate([deployment.clean, deployment.counts(after)]), deployment.streams
        runs, ticks, _ = drawn.shape
        total, found = np.zeros((runs, rows.shape[1])), np.full((runs, ticks), -np.inf)
        evidence, alarmed = Evidence.start(streams, 0.0, total), np.zeros(runs, dtype=bool)
        for tick in range(ticks):
            total = total + rows[drawn[:, tick]].sum(axis=1)
            evidence = evidence.advance(streams, float(tick), total)
            found[:, tick] = evidence.log_total
            if limits is not None and tick >= SETTLING:
                alarmed |= found[:, tick] >= limits[0]
                if alarmed.all():
                    break
        return found[None]


class Windowed(ABC):
    """A statistic of the rows in a sliding window against those of the reference."""

    name = ""

    def paths(self, deployment: Deployment, after: Answered, drawn: IntArray, limits: FloatArray | None = None) -> FloatArray:
        statistic, drawn = self.prepare(deployment, after), drawn if limits is None else drawn[:SHIFTED_RUNS]
        found = np.full((len(WINDOWS), *drawn.shape[:2]), -np.inf)
        for run, rows in enumerate(drawn):
            for start in range(0, len(rows), _BLOCK):
                end = min(start + _BLOCK, len(rows))
                if end < SETTLING:  # nobody asks how it was long before the shift
                    continue
                for kind, window in enumerate(WINDOWS):
                    length = window // rows.shape[1]
                    first = max(0, start - length + 1)
                    if end - first >= length:
                        values = statistic(rows[first:end], length)
                        found[kind, run, end - len(values) : end] = values
                if limits is not None and start >= SETTLING and (found[:, run, SETTLING:end] >= limits[:, None]).any():
                    break
        return found

    @abstractmethod
    def prepare(self, deployment: Deployment, after: Answered) -> Statistic:
        """What gives for rows (ticks, n) and a window of so many ticks the statistic (ticks - length + 1,) at the end of each window."""


class Statistic(Protocol):
    def __call__(self, rows: IntArray, length: int, /) -> FloatArray: ...


#: Ticks before the shift, ticks that are looked at together, and runs of each deployment that rivals are simulated in after a shift.
SETTLING = 400
_BLOCK = 50
SHIFTED_RUNS = 4


class PopulationStability(Windowed):
    """The largest PSI of all signals, in the bins of the reference."""

    name = "PSI"

    def prepare(self, deployment: Deployment, after: Answered) -> Statistic:
        rows, streams = np.concatenate([deployment.clean, deployment.counts(after)]), deployment.streams
        shares = (streams.reference + 0.5) / streams.spread(streams.rows(streams.reference + 0.5))
        watched = [place for place, name in enumerate(streams.names) if name in deployment.reference.profiles]

        def statistic(drawn: IntArray, length: int) -> FloatArray:
            counts = _windows(rows[drawn].sum(axis=1, dtype=np.float64), length) + 0.5
            live = counts / streams.spread(streams.rows(counts))
            largest: FloatArray = streams.rows((live - shares) * np.log(live / shares))[:, watched].max(axis=1)
            return largest

        return statistic


class KolmogorovSmirnov(Windowed):
    """BBSDs of "Failing Loudly": the largest distance of the softmax outputs' distribution functions (one limit for all: Bonferroni)."""

    name = "KS on softmax"

    def prepare(self, deployment: Deployment, after: Answered) -> Statistic:
        clean = deployment.world.clean.batch.outputs
        values, reference = np.concatenate([clean, after.batch.outputs]), np.sort(clean[deployment.drawn], axis=0)
        parts = [_Steps.of(values[:, column], reference[:, column]) for column in range(values.shape[1])]

        def statistic(drawn: IntArray, length: int) -> FloatArray:
            counts = np.zeros((len(drawn), len(values)), dtype=np.float32)
            np.add.at(counts, (np.arange(len(drawn))[:, None], drawn), 1)
            counts = _windows(counts, length) / np.float32(length * drawn.shape[1])
            largest: FloatArray = np.max([part.distance(counts) for part in parts], axis=0)
            return largest

        return statistic


@dataclass(frozen=True)
class _Steps:
    """Where a distribution function may step: the `order` of the rows by value, the `starts` of those that are equal, and the reference's
    function `at` each step and just `before` the next.
    """

    order: IntArray
    starts: IntArray
    at: FloatArray
    before: FloatArray

    @classmethod
    def of(cls, values: FloatArray, reference: FloatArray) -> _Steps:
        order = np.argsort(values, kind="stable")
        steps, starts = np.unique(values[order], return_index=True)
        at = np.searchsorted(reference, steps, side="right") / len(reference)
        before = np.append(np.searchsorted(reference, steps[1:], side="left") / len(reference), 1.0)
        return cls(order, starts, at.astype(np.float32), before.astype(np.float32))

    def distance(self, shares: NDArray[np.float32]) -> FloatArray:
        """The largest distance, for rows' shares (windows, rows)."""
        function = np.cumsum(np.add.reduceat(shares[:, self.order], self.starts, axis=1), axis=1)
        largest: FloatArray = np.maximum(np.abs(function - self.at), np.abs(function - self.before)).max(axis=1)
        return largest


class MeanDiscrepancy(Windowed):
    """MMD² of the embeddings under a Gaussian kernel. The limit that permutations would give is found without drift instead."""

    name = "MMD on embeddings"

    def prepare(self, deployment: Deployment, after: Answered) -> Statistic:
        kernel = _kernel(deployment.world.clean.batch.embeddings, after.batch.embeddings)
        n = len(deployment.world.labels)
        to_reference = kernel[:, :n] @ (np.bincount(deployment.drawn, minlength=n) / len(deployment.drawn)).astype(np.float32)
        within = float(to_reference[deployment.drawn].mean())

        def statistic(drawn: IntArray, length: int) -> FloatArray:
            each = drawn.shape[1]
            between = np.stack([kernel[rows].sum(axis=0) for rows in drawn])[:, drawn].sum(axis=2)  # (ticks, ticks)
            sums = np.zeros((len(drawn) + 1, len(drawn) + 1))
            sums[1:, 1:] = between.cumsum(axis=0).cumsum(axis=1)
            end = np.arange(length, len(drawn) + 1)
            live = sums[end, end] - sums[end - length, end] - sums[end, end - length] + sums[end - length, end - length]
            across = _windows(to_reference[drawn].sum(axis=1, dtype=np.float64)[:, None], length)[:, 0]
            rows = length * each
            squared: FloatArray = live / rows**2 - 2 * across / rows + within
            return squared

        return statistic


#: The last one, with what it is of: the id of an array that is gone is given to another.
_KEPT: list[tuple[FloatArray, FloatArray, FloatArray]] = []


def _kernel(clean: FloatArray, after: FloatArray) -> FloatArray:
    """Of all rows with all rows; kept, as every deployment needs the same."""
    if not _KEPT or _KEPT[0][0] is not clean or _KEPT[0][1] is not after:
        rows = np.concatenate([clean, after]).astype(np.float32)
        lengths = (rows**2).sum(axis=1)
        squares = np.maximum(lengths[:, None] + lengths - 2 * rows @ rows.T, 0)
        median = float(np.median(squares[: len(clean), : len(clean)][np.triu_indices(min(len(clean), 500), 1)]))
        _KEPT[:] = [(clean, after, np.exp(-squares / median))]
    return _KEPT[0][2]


def _windows(counts: FloatArray, length: int) -> FloatArray:
    """Sums over each window of so many ticks, (ticks - length + 1, …)."""
    sums = np.concatenate([np.zeros_like(counts[:1]), counts.cumsum(axis=0)])
    windows: FloatArray = sums[length:] - sums[:-length]
    return windows
