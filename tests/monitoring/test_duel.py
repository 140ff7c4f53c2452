"""The duel: evidence that may be looked at after every row keeps its promise, and finds what is better about as soon as can be."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.stats import beta

from monitoring.accuracy.duel import Duel


@given(st.integers(0, 60), st.integers(0, 60))
def test_the_evidence_is_the_mixture_by_integration(won: int, lost: int) -> None:
    """Of likelihoods at every chance p of a row to be won, weighed by the prior; p = sin² t takes its poles away."""

    def likelihood(t: float) -> float:
        p = float(np.sin(t) ** 2)
        return float((2 * p) ** won * (2 * (1 - p)) ** lost * 2 / np.pi)

    assert quad(likelihood, 0, np.pi / 2, limit=200)[0] == pytest.approx(Duel(won, lost).evidence, rel=1e-6)
    assert beta(0.5, 0.5).pdf(0.25) == pytest.approx(2 / np.pi / np.sqrt(0.75))  # it is that prior


def ever_believed(chance: float, rows: int, runs: int, seed: int) -> np.ndarray:
    """The row at which each run is first believed, if one looks after each; `rows` if it never is."""
    won = np.cumsum(np.random.default_rng(seed).random((runs, rows)) < chance, axis=1)
    found = np.full(runs, rows)
    for run in range(runs):
        for row in range(rows):
            wins = int(won[run, row])
            if Duel(wins, row + 1 - wins).state != "open":
                found[run] = row
                break
    return found


def test_who_looks_after_every_row_is_wrong_once_in_twenty_trials_at_most() -> None:
    found = ever_believed(0.5, rows=500, runs=400, seed=1)
    wrong = (found < 500).sum()
    assert wrong <= 400 / 20
    assert wrong > 0  # and the promise is no idle one


def test_a_version_that_wins_four_of_five_is_believed_soon() -> None:
    found = ever_believed(0.8, rows=500, runs=300, seed=2)
    assert (found < 500).all()
    assert np.median(found) < 30


def test_without_rows_nothing_is_known_and_many_are_no_overflow() -> None:
    assert (Duel(0, 0).evidence, Duel(0, 0).state) == (1.0, "open")
    assert Duel(100_000, 1000).state == "better"
    assert np.isfinite(Duel(100_000, 1000).evidence)
