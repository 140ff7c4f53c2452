"""Is the second network better, or is it chance? Both answer the same validation rows, so the rows are compared in pairs.

Classes: two tests, of what is told and of how surely. McNemar's exact test counts the rows that exactly one of the two tells right; if
both were alike, each would win half of them (Q. McNemar, Psychometrika 12 (1947), p. 153). On a few hundred rows it misses a gain of
three points more often than not. The paired t-test of the rows' Brier scores, the squared distance of the answer from the truth (G. W.
Brier, Monthly Weather Review 78 (1950), p. 1), sees more of it; it speaks only where it says the same as the count of the rows, so that
nothing is called better that tells fewer, and where there are 30 rows or more, so that their mean is about normal. The p-value is then
twice the smaller of the two (Bonferroni). Values: Wilcoxon's signed-rank test on the squared errors, which few large errors do not decide
(F. Wilcoxon, Biometrics Bulletin 1 (1945), p. 80); it speaks, too, only where its ranks say the same as the count of the rows, since more
rows can come a little nearer while the others go far off.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from monitoring.arrays import FloatArray

SURE = 0.05
#: Rows from which on a mean of them is about normal.
_FEWEST = 30
#: Brier score of a row that is surely taken for another class. Answers that are no probabilities are no worse.
_WORST = 2.0
#: The like of a value.
_FARTHEST = 1e300


@dataclass(frozen=True)
class Proof:
    """Rows that only the second, and only the first, got right (regression: came nearer to); the two-sided p-value of "alike", and what it
    was taken from, if not from those counts.
    """

    won: int
    lost: int
    p: float
    of: str = ""

    @property
    def better(self) -> bool:
        """The second is better, beyond chance."""
        return self.won > self.lost and self.p < SURE

    def __str__(self) -> str:
        what = "better" if self.better else "worse" if self.p < SURE else "no difference beyond chance"
        return f"{self.won} rows won, {self.lost} lost, p = {self.p:.2g}{f' by {self.of}' if self.of else ''}: {what}"


def compare_classes(first: FloatArray, second: FloatArray, y: NDArray[np.generic]) -> Proof:
    """Answers (n, classes) of two networks to rows with labels (n,). NaN, of a network that diverged, is never right.

    >>> compare_classes(np.eye(2)[[0, 0, 0, 0, 0, 0, 1]], np.eye(2)[[1, 1, 1, 1, 1, 1, 1]], np.ones(7, int)).better
    True
    """
    labels = y.astype(np.int64)
    one, two = (np.isfinite(answers).all(axis=1) & (answers.argmax(axis=1) == labels) for answers in (first, second))
    won, lost = int((two & ~one).sum()), int((one & ~two).sum())
    if len(labels) < _FEWEST:
        return Proof(won, lost, mcnemar(won, lost))
    gain = _brier(first, labels) - _brier(second, labels)
    agrees = (won - lost) * float(gain.mean()) > 0
    counted, weighed = mcnemar(won, lost), _paired_t(gain) if agrees else 1.0
    return Proof(won, lost, min(1.0, 2 * min(counted, weighed)), "how sure the answers are" if weighed < counted else "")


def _brier(answers: FloatArray, labels: NDArray[np.int64]) -> FloatArray:
    """Of each row, (n,)."""
    scores: FloatArray = np.square(answers - np.eye(answers.shape[1])[labels]).sum(axis=1)
    return np.fmin(scores, _WORST)


def _paired_t(differences: FloatArray) -> float:
    """Two-sided p-value of "0 on average"."""
    from scipy.stats import ttest_1samp

    if differences.std() < 1e-12:
        return 0.0 if abs(differences.mean()) > 1e-12 else 1.0
    return float(ttest_1samp(differences, 0.0).pvalue)


def mcnemar(won: int, lost: int) -> float:
    """Two-sided exact p-value.

    >>> mcnemar(0, 0), mcnemar(5, 0)
    (1.0, 0.0625)
    """
    tries = won + lost
    tail = sum(math.comb(tries, k) for k in range(min(won, lost) + 1))
    return min(1.0, tail / (1 << tries) * 2)


def compare_values(first: FloatArray, second: FloatArray, y: NDArray[np.generic]) -> Proof:
    """Answers (n, 1) of two networks to rows with values (n,). NaN is as wrong as can be."""
    from scipy.stats import rankdata, wilcoxon

    one, two = (np.fmin((answers[:, 0] - y.astype(np.float64)) ** 2, _FARTHEST) for answers in (first, second))
    won, lost = int((two < one).sum()), int((one < two).sum())
    gain = (one - two)[one != two]
    agrees = (won - lost) * float((np.sign(gain) * rankdata(np.abs(gain))).sum()) > 0
    p = float(np.asarray(wilcoxon(one, two).pvalue, np.float64)) if agrees else 1.0
    return Proof(won, lost, p, "the ranks of the errors")
