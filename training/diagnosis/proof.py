"""Is the second network better, or is it chance? Both answer the same validation rows, so the rows are compared in pairs.

Classes: McNemar's exact test. Only rows that exactly one of the two tells right count; if both were alike, each would win half of
them (Q. McNemar, Psychometrika 12 (1947), p. 153). Values: Wilcoxon's signed-rank test on the squared errors, which few large errors
do not decide (F. Wilcoxon, Biometrics Bulletin 1 (1945), p. 80).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from monitoring.arrays import FloatArray

SURE = 0.05


@dataclass(frozen=True)
class Proof:
    """Rows that only the second, and only the first, got right (regression: came nearer to); the two-sided p-value of "alike"."""

    won: int
    lost: int
    p: float

    @property
    def better(self) -> bool:
        """The second is better, beyond chance."""
        return self.won > self.lost and self.p < SURE

    def __str__(self) -> str:
        what = "better" if self.better else "worse" if self.p < SURE else "no difference beyond chance"
        return f"{self.won} rows won, {self.lost} lost, p = {self.p:.2g}: {what}"


def compare_classes(first: FloatArray | None, second: FloatArray | None, y: NDArray[np.generic]) -> Proof:
    """Answers (n, classes) of two networks to rows with labels (n,). None, of a network that diverged, is never right.

    >>> compare_classes(np.eye(2)[[0, 0, 0, 0, 0, 0, 1]], np.eye(2)[[1, 1, 1, 1, 1, 1, 1]], np.ones(7, int))
    Proof(won=6, lost=0, p=0.03125)
    """
    nothing: NDArray[np.bool_] = np.zeros(len(y), bool)
    one, two = (nothing if answers is None else answers.argmax(axis=1) == y for answers in (first, second))
    won, lost = int((two & ~one).sum()), int((one & ~two).sum())
    return Proof(won, lost, mcnemar(won, lost))


def mcnemar(won: int, lost: int) -> float:
    """Two-sided exact p-value.

    >>> mcnemar(0, 0), mcnemar(5, 0)
    (1.0, 0.0625)
    """
    tries = won + lost
    tail = sum(math.comb(tries, k) for k in range(min(won, lost) + 1))
    return min(1.0, tail / (1 << tries) * 2)


def compare_values(first: FloatArray | None, second: FloatArray | None, y: NDArray[np.generic]) -> Proof:
    """Answers (n, 1) of two networks to rows with values (n,). None is infinitely wrong."""
    from scipy.stats import wilcoxon

    nothing: FloatArray = np.full(len(y), 1e300)
    one, two = (nothing if answers is None else (answers[:, 0] - y.astype(np.float64)) ** 2 for answers in (first, second))
    won, lost = int((two < one).sum()), int((one < two).sum())
    p = float(np.asarray(wilcoxon(one, two).pvalue, np.float64)) if won + lost else 1.0
    return Proof(won, lost, p)
