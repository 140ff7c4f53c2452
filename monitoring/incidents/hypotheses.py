"""Hypotheses of what has changed, each with the part of the change that it leaves unexplained.

What is expected under a hypothesis is a mixture of populations whose signals are known (`monitoring.signals.explanations`), in the
shares that fit best. Of each signal that has moved, its PSI is compared with what it was from what was normal, each less what chance
alone gives:

    left = Σ max(0, PSI(expected, live) − chance) / Σ max(0, PSI(normal, live) − chance)

For new shares of the classes, these are fitted on the predicted classes alone, which is the correction of Z. Lipton et al. (ICML 2018,
arXiv 1802.03916, section 3) by maximum likelihood; all other signals then test it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from monitoring.arrays import FloatArray, IntArray
from monitoring.incidents.case import Case
from monitoring.incidents.wording import percent
from monitoring.signals.faults import WORDS
from monitoring.signals.mixture import proportions

#: A fault is looked for in at least this share of the rows.
_LEAST_SHARE = 0.05
#: Classes that are named, those whose share has changed most.
_NAMED = 2


@dataclass(frozen=True)
class Hypothesis:
    """What would explain a change, in words, and how much of the change it leaves unexplained: 0 nothing, 1 all of it.

    `doubt` is the standard error of `left`.
    """

    kind: Literal["mix", "fault"]
    left: float
    doubt: float
    words: str


def hypotheses(case: Case) -> list[Hypothesis]:
    """All that can be held against the case, the one that leaves least first."""
    known = case.reference.explanations
    if known is None or not case.moved:
        return []
    mix = [_mix(case, known.by_class)] if len(known.by_class) else []
    found = [*mix, *(_fault(case, name, counts) for name, counts in known.faults.items())]
    return sorted((hypothesis for hypothesis in found if hypothesis), key=lambda hypothesis: hypothesis.left)


def _mix(case: Case, by_class: IntArray) -> Hypothesis:
    """That only the classes come in other shares."""
    rows = case.reference.answers(by_class).sum(axis=1).astype(np.float64)
    there = np.flatnonzero(rows)
    populations = _smooth(by_class[there], rows[there])
    shares = proportions(case.reference.answers(populations), case.reference.answers(case.live))
    independent = 1 / float((shares**2 / rows[there]).sum())
    left, doubt = _left(case, shares @ populations, dict.fromkeys(case.reference.profiles, independent))
    return Hypothesis("mix", left, doubt, _mix_words(case, shares, rows[there] / rows.sum(), there))


def _fault(case: Case, name: str, counts: IntArray) -> Hypothesis | None:
    """That a part of the rows comes from a client that sends them in a wrong form."""
    tried = float(case.reference.answers(counts).sum())
    populations = np.stack([case.normal / max(1.0, _rows(case)), counts / tried])
    _, share = proportions(populations, case.live)
    if share < _LEAST_SHARE:
        return None
    left, doubt = _left(case, np.array([1 - share, share]) @ populations, dict.fromkeys(case.reference.profiles, tried))
    return Hypothesis("fault", left, doubt, f"{percent(share)} of the inputs look as if {WORDS[name]}")


def _left(case: Case, expected: FloatArray, rows: dict[str, float]) -> tuple[float, float]:
    """Of the signals that have moved, and of those that should have and have not; and its doubt, as if all signals erred alike."""
    compared = case.against(expected, rows)
    signals, whole = case.moved | compared.over, case.change.total(case.moved)
    if whole <= 0:
        return 1.0, 0.0
    return compared.total(signals) / whole, sum(compared.noise.get(name, 0.0) for name in signals) / whole


def _rows(case: Case) -> float:
    return float(case.reference.answers(case.normal).sum())


def _smooth(by_class: IntArray, rows: FloatArray) -> FloatArray:
    """The counts (classes, bins) as shares of the `rows` (classes,) of each class. To each class one row is added that is as all rows
    are: what no row of a class showed is rare in it, not impossible."""
    everything = by_class.sum(axis=0) / rows.sum()
    smooth: FloatArray = (by_class + everything) / (rows[:, None] + 1)
    return smooth


def _mix_words(case: Case, shares: FloatArray, before: FloatArray, there: NDArray[np.int64]) -> str:
    largest = np.argsort(-np.abs(shares - before))[:_NAMED]
    said = [f"{case.classes[there[place]]}: {percent(before[place])} → {percent(shares[place])}" for place in largest]
    return f"every signal is as other shares of the classes make it ({', '.join(said)})"
