"""Which of two versions is right more often on the same rows? Evidence that may be looked at after every row, and acted upon at any time.

Only rows that one of the two does better than the other speak. If both were alike, either would win each of them with the probability ½;
against that stands a chance that is not known, by a Beta(½, ½) prior. With w rows won and l lost

    e = B(w + ½, l + ½) / B(½, ½) · 2^(w + l)

If both are alike, e ever reaches 20 with a probability of at most 1/20, however often one looks (Ville's inequality): a p-value that is
looked at again and again promises no such thing. M. Lindon, A. Malek, "Anytime-valid inference for multinomial count data", NeurIPS 2022.

>>> Duel(won=3, lost=2).state, round(Duel(won=9, lost=0).evidence, 1), Duel(won=9, lost=0).state, Duel(won=0, lost=9).state
('open', 95.0, 'better', 'worse')
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

#: From this on it is believed: when both are alike, that happens once in 20 trials at most.
_ENOUGH = 20.0
State = Literal["better", "worse", "open"]


@dataclass(frozen=True)
class Duel:
    """Rows that the second does better, and those that the first does better."""

    won: int
    lost: int

    @property
    def log_evidence(self) -> float:
        half = _log_beta(self.won + 0.5, self.lost + 0.5) - _log_beta(0.5, 0.5)
        return half + (self.won + self.lost) * math.log(2)

    @property
    def evidence(self) -> float:
        """At most what a float holds."""
        return math.exp(min(self.log_evidence, 700.0))

    @property
    def state(self) -> State:
        """Whether the second is better, or worse, beyond chance."""
        if self.evidence < _ENOUGH:
            return "open"
        return "better" if self.won > self.lost else "worse"


def _log_beta(a: float, b: float) -> float:
    return math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b)
