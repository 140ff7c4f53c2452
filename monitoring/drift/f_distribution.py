"""Quantiles of Fisher's F distribution, for serving needs no scipy.

P(F ≤ x) = I_y(a/2, b/2) with y = a x / (a x + b), I the regularized incomplete beta function, by its continued fraction
(NIST Digital Library of Mathematical Functions, 8.17.22, evaluated from the front as in 3.10(iii)); the quantile by bisection.

>>> round(f_quantile(32, 968, 0.9999), 6)      # scipy.stats.f.ppf: 2.251869
2.251869
"""

from __future__ import annotations

import functools
import math

#: Halvings of the interval of y: to the last bit of a float.
_HALVINGS = 60
_TERMS = 10_000
_EXACT = 1e-15
_TINY = 1e-300


@functools.lru_cache(256)
def f_quantile(above: float, below: float, probability: float) -> float:
    """The value that F with `above` and `below` degrees of freedom stays under with this probability."""
    lowest, highest = 0.0, 1.0
    for _ in range(_HALVINGS):
        middle = (lowest + highest) / 2
        lowest, highest = (middle, highest) if incomplete_beta(middle, above / 2, below / 2) < probability else (lowest, middle)
    return below * lowest / (above * (1 - lowest))


def incomplete_beta(y: float, a: float, b: float) -> float:
    """I_y(a, b), from 0 to 1.

    >>> round(incomplete_beta(0.5, 3.0, 3.0), 12), round(incomplete_beta(0.25, 1.0, 2.0), 12)
    (0.5, 0.4375)
    """
    if y <= 0 or y >= 1:
        return float(y >= 1)
    if y > (a + 1) / (a + b + 2):  # the fraction converges fast on the other side
        return 1 - incomplete_beta(1 - y, b, a)
    log_front = a * math.log(y) + b * math.log1p(-y) - math.log(a) + math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b)
    return math.exp(log_front) / _fraction(y, a, b)


def _fraction(y: float, a: float, b: float) -> float:
    """1 + d₁/(1 + d₂/(1 + …)), by Lentz's method: the ratios of successive numerators and denominators."""
    value, upper, lower = 1.0, 1.0, 0.0
    for number in range(1, _TERMS):
        d = _term(number, y, a, b)
        lower = 1 / (1 + d * lower or _TINY)
        upper = 1 + d / upper or _TINY
        value *= upper * lower
        if abs(upper * lower - 1) < _EXACT:
            break
    return value


def _term(number: int, y: float, a: float, b: float) -> float:
    m = number // 2
    if number % 2:
        return -(a + m) * (a + b + m) * y / ((a + 2 * m) * (a + 2 * m + 1))
    return m * (b - m) * y / ((a + 2 * m - 1) * (a + 2 * m))
