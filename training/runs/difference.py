"""Is one network better than another, or is that chance? The difference of two accuracies with its 95 % interval.

Answers to the same rows are paired: only rows that exactly one of the two got right speak. Of c rows won and b lost among n,

    difference (c − b) / n,  interval  (c − b) / (n + 2) ± z √(b + c + 1 − (c − b)² / (n + 2)) / (n + 2)
    McNemar's exact test: if both were alike, c would be binomial with b + c tries at ½

A. Agresti, Y. Min, "Simple improved confidence intervals for comparing matched proportions", Statistics in Medicine 24 (2005), p. 732;
Q. McNemar, Psychometrika 12 (1947), p. 153. Answers to different rows are compared as two proportions, one success and one failure
added to each: A. Agresti, B. Caffo, The American Statistician 54 (2000), p. 280.

>>> found = paired(won=30, lost=10, rows=1000)
>>> found.value, round(found.lower, 4), round(found.upper, 4), round(found.p, 4)
(0.02, 0.0075, 0.0324, 0.0022)
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist

from training.diagnosis.proof import mcnemar
from training.runs.answers import Answers

_LIKELY = 0.05
_Z = NormalDist().inv_cdf(0.975)


@dataclass(frozen=True)
class Difference:
    """By how much the second is better (as a share), its interval, and the p-value of "they are alike"."""

    value: float
    lower: float
    upper: float
    p: float
    paired: bool

    @property
    def words(self) -> str:
        """What may be believed."""
        if self.p >= _LIKELY:
            return "no difference beyond chance"
        return "better" if self.value > 0 else "worse"


def compare_answers(first: Answers, second: Answers) -> Difference:
    """The second against the first."""
    one, two = first.right(), second.right()
    if first.sha256 == second.sha256 and first.rows == second.rows:
        return paired(int((two & ~one).sum()), int((one & ~two).sum()), first.rows)
    return two_proportions(int(one.sum()), first.rows, int(two.sum()), second.rows)


def paired(won: int, lost: int, rows: int) -> Difference:
    """Of `rows`, `won` were got right by the second alone and `lost` by the first alone. Raises ValueError without rows."""
    if rows <= 0:
        raise ValueError("answers to no rows cannot be compared")
    centre = (won - lost) / (rows + 2)
    half = _Z * math.sqrt(max(0.0, won + lost + 1 - (won - lost) ** 2 / (rows + 2))) / (rows + 2)
    return Difference((won - lost) / rows, max(-1.0, centre - half), min(1.0, centre + half), mcnemar(won, lost), True)


def two_proportions(first: int, first_rows: int, second: int, second_rows: int) -> Difference:
    """Rows got right, of how many, by each."""
    one, two = (first + 1) / (first_rows + 2), (second + 1) / (second_rows + 2)
    error = math.sqrt(one * (1 - one) / (first_rows + 2) + two * (1 - two) / (second_rows + 2))
    value = second / second_rows - first / first_rows
    p = 2 * (1 - NormalDist().cdf(abs(two - one) / error))
    return Difference(value, max(-1.0, two - one - _Z * error), min(1.0, two - one + _Z * error), p, False)
