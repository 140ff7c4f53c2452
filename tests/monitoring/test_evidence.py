"""The promise and the speed of the evidence by simulation with fixed seeds; its arithmetic against scipy, a row at a time."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from scipy.special import gammaln
from scipy.stats import chi2, chi2_contingency, dirichlet_multinomial, rankdata

from monitoring.arrays import FloatArray
from monitoring.drift.dirichlet import log_gamma, log_likelihood
from monitoring.drift.evidence import CHUNK_ROWS, CONCENTRATION, HALF_LIVES, Evidence, Streams, _burst_limits
from monitoring.drift.overdispersion import dissimilarity
from tests.monitoring.streams import BINS, SIGNALS, Traffic, equal, first_alarms, one_gone, references, streams

ONE = np.array([0])
#: One false alarm in 30 days of 10-second ticks.
MONTH = 259_200


def steady(rng: np.random.Generator, runs: int, rows: int, clusters: int = 1) -> Traffic:
    """Independent rows without drift, or each `clusters` times."""
    return lambda tick: rng.multinomial(rows // clusters, equal(), size=(runs, SIGNALS)) * float(clusters)


def changed(rng: np.random.Generator, runs: int, rows: int, shares: FloatArray, since: int) -> Traffic:
    """The first signal has other shares from a tick on."""
    after = np.stack([shares, *[equal()] * (SIGNALS - 1)])
    return lambda tick: rng.multinomial(rows, after if tick >= since else equal(), size=(runs, SIGNALS)).astype(np.float64)


def test_log_gamma_is_that_of_scipy() -> None:
    x = np.geomspace(1e-3, 1e12, 3000)

    np.testing.assert_allclose(log_gamma(x), gammaln(x), rtol=1e-11, atol=1e-11)


def test_the_likelihood_is_that_of_scipy_but_for_the_multinomial_coefficient() -> None:
    x, a = np.array([3.0, 0.0, 9.0]), np.array([2.5, 0.5, 40.0])
    coefficient = gammaln(x.sum() + 1) - gammaln(x + 1).sum()

    assert log_likelihood(x, a, ONE)[0] + coefficient == pytest.approx(dirichlet_multinomial.logpmf(x.astype(int), a, 12))


def test_dissimilarity_is_pearsons_statistic_with_the_permutation_factor() -> None:
    x, other = np.array([12.0, 3, 9, 0]), np.array([5.0, 8, 4, 0])
    expected = chi2_contingency(np.stack([x, other])[:, :3], correction=False)
    rows = x.sum() + other.sum()

    unlike, freedom = dissimilarity(x, other, ONE)
    assert unlike[0] == pytest.approx(expected.statistic * (rows - 1) / rows)
    assert freedom[0] == expected.dof


@pytest.mark.parametrize("rows", [1, 3, 50])
def test_dissimilarity_has_its_degrees_of_freedom_as_mean_for_any_number_of_rows(rows: int) -> None:
    rng = np.random.default_rng(0)
    x, other = (rng.multinomial(rows, [0.5, 0.3, 0.15, 0.05], size=40_000).astype(float) for _ in range(2))
    unlike, freedom = dissimilarity(x, other, ONE)

    assert unlike.sum() / freedom.sum() == pytest.approx(1, abs=0.02)


def log_dm(x: FloatArray, a: FloatArray) -> float:
    return float(gammaln(a.sum()) - gammaln(a.sum() + x.sum()) + (gammaln(a + x) - gammaln(a)).sum())


def tilted(null: FloatArray, ridits: FloatArray, recent: FloatArray) -> FloatArray:
    """The null moved as far as the recent rows are, written out."""
    shares = null / null.sum()
    mean = shares @ ridits
    variance = shares @ (ridits - mean) ** 2
    moved = recent @ (ridits - mean) / (recent.sum() + CONCENTRATION)
    q = shares * np.exp(moved / variance * (ridits - mean))
    return np.asarray(q / q.sum() * null.sum())


def sparse(null: FloatArray, recent: FloatArray) -> FloatArray:
    """The null with the shares of those bins changed that are two standard errors away, written out."""
    q = null / null.sum()
    rows = recent.sum()
    for place, share in enumerate(null / null.sum()):
        away = recent[place] - rows * share
        if abs(away) > 2 * np.sqrt(rows * share * (1 - share)):
            q[place] = share + away / (rows + CONCENTRATION)
    return np.asarray(q / q.sum() * null.sum())


@pytest.mark.parametrize("ordered", [True, False])
def test_a_chunk_moves_the_evidence_as_the_formula_says(ordered: bool) -> None:
    """Without overdispersion: chunks that drift away, computed with scipy's gammaln."""
    reference = np.array([30.0, 50, 20])
    watched = Streams(("only",), ONE, reference, np.array([False]), np.array([ordered]))
    chunks = [np.array(chunk) for chunk in ([60.0, 100, 40], [60.0, 100, 40], [85.0, 75, 40], [95.0, 65, 40], [95.0, 65, 40])]
    evidence, total = Evidence.start(watched, 0, np.zeros(3)), np.zeros(3)
    evidence = dataclasses.replace(evidence, freedom=np.array([1e12]), unlike=np.array([1e12]))  # nothing in doubt: rows are independent
    null, recent, log_r = reference + 0.5, np.zeros((3, 3)), np.full(6, -np.inf)
    smooth = reference + 0.5
    ridits = (smooth.cumsum() - smooth / 2) / smooth.sum() - 0.5

    for number, x in enumerate(chunks):
        total = total + x
        evidence = evidence.advance(watched, number + 1, total)
        if number == 0:
            log_r = np.zeros(6)  # a first chunk has none before it to tell it from a burst: it says nothing, e = 1
            continue
        for j, half_life in enumerate(HALF_LIVES):
            free = CONCENTRATION * smooth / smooth.sum() + recent[j]
            other = tilted(null, ridits, recent[j]) if ordered else sparse(null, recent[j])
            for k, alternative in ((j, free), (j + 3, other)):
                log_r[k] = np.logaddexp(log_r[k], 0) + log_dm(x, alternative) - log_dm(x, null)
            recent[j] = recent[j] * 0.5 ** (x.sum() / half_life) + x
        null = null + x

    assert np.abs(sparse(null, recent[0]) - null).max() > 1  # so that there was something to be sparse about
    np.testing.assert_allclose(evidence.log_r[:, 0], log_r, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(evidence.null, null, rtol=1e-4)


def test_ridits_are_mean_ranks() -> None:
    reference = np.array([3.0, 0, 7, 2, 5])
    watched = Streams(("a", "b"), np.array([0, 3]), reference, np.zeros(2, bool), np.ones(2, bool))
    for part, ridits in ((reference[:3], watched.ridits[:3]), (reference[3:], watched.ridits[3:])):
        rows = np.repeat(np.arange(len(part)), (2 * part + 1).astype(int))  # halves count as rows here
        expected = [(rankdata(rows)[rows == place].mean() - 0.5) / len(rows) - 0.5 for place in range(len(part))]
        np.testing.assert_allclose(ridits, expected)


def test_a_number_that_moves_a_little_is_found_sooner_for_being_ordered() -> None:
    """The same rows in streams whose bins are in order and in streams whose bins are not: a small move along the bins."""
    moved = equal() * np.exp(np.linspace(-0.25, 0.25, BINS))
    moved /= moved.sum()
    delays = []
    for ordered in (True, False):
        rng, runs, change = np.random.default_rng(0), 20, 60
        alarms = first_alarms(references(rng, 5_000, runs), changed(rng, runs, 100, moved, change), 600, 300, ordered)
        delays.append(np.median(alarms[alarms >= change] - change))
    assert delays[0] < 0.8 * delays[1]


@pytest.mark.parametrize(("rows_reference", "rows"), [(1_000, 10), (1_000, 1_000), (1_000, 50_000), (10_000, 100)])
def test_the_time_between_false_alarms_is_what_was_promised(rows_reference: int, rows: int) -> None:
    """A promise of 300 ticks; a time cut at 1,200 counts as 1,200, so the true mean is larger still."""
    rng, runs = np.random.default_rng(rows), 40
    alarms = first_alarms(references(rng, rows_reference, runs), steady(rng, runs, rows), 1_200, 300)

    assert alarms.mean() - 2 * alarms.std() / np.sqrt(runs) > 300


@pytest.mark.parametrize("ordered", [True, False])
def test_the_beginning_of_a_change_is_found(ordered: bool) -> None:
    """One class is gone after 150 ticks; nine of ten estimates are within five ticks of that."""
    rng, runs, change = np.random.default_rng(0), 40, 150
    known = references(rng, 2_000, runs)
    traffic = changed(rng, runs, 100, one_gone(), change)
    watched, total = streams(known[0], ordered), np.zeros_like(known)
    evidence = dataclasses.replace(Evidence.start(watched, 0.0, total), null=known + 0.5)
    for tick in range(change + 10):
        total = total + traffic(tick).reshape(runs, -1)
        evidence = evidence.advance(watched, tick + 1.0, total)
    arrays = evidence.to_arrays()
    began = [Evidence.from_arrays({name: values[run] for name, values in arrays.items()}).began(watched) for run in range(runs)]

    assert (np.abs(np.array(began) - change) <= 5).mean() >= 0.9


@pytest.mark.parametrize("clusters", [5, 20])
def test_the_promise_holds_for_traffic_in_bursts(clusters: int) -> None:
    rng, runs = np.random.default_rng(clusters), 40
    alarms = first_alarms(references(rng, 1_000, runs), steady(rng, runs, 600, clusters), 1_200, 300)

    assert alarms.mean() - 2 * alarms.std() / np.sqrt(runs) > 300


@pytest.mark.parametrize("rows", [10, 100, 1_000])
def test_no_alarm_in_a_day_of_many_deployments_at_a_promise_of_a_month(rows: int) -> None:
    rng, runs = np.random.default_rng(rows), 60
    alarms = first_alarms(references(rng, 2_000, runs), steady(rng, runs, rows), 864, MONTH)

    assert (alarms < 864).sum() <= 1  # 60 tenths of a day in a month's promise: 0.2 are expected at most


@pytest.mark.parametrize(("rows", "within"), [(10, 1_000), (100, 1_000), (1_000, 3_000)])
def test_a_class_that_is_gone_is_found_soon(rows: int, within: int) -> None:
    """Predictions until the alarm. At 1,000 a tick, the first tick after the change could be a burst; the second cannot."""
    rng, runs, change = np.random.default_rng(0), 20, 60
    alarms = first_alarms(references(rng, 2_000, runs), changed(rng, runs, rows, one_gone(), change), 400, MONTH)

    assert (alarms >= change).all()
    assert np.quantile((alarms - change + 1) * rows, 0.95) <= within


@pytest.mark.parametrize("rows", [10, 60, 600])
def test_a_client_that_sends_the_same_thing_500_times_at_once_raises_no_alarm(rows: int) -> None:
    rng, runs = np.random.default_rng(0), 20

    def traffic(tick: int) -> FloatArray:
        x = rng.multinomial(rows, equal(), size=(runs, SIGNALS)).astype(np.float64)
        x[:, :, tick // 50 % BINS] += 500 * (tick % 50 == 49)
        return x

    assert (first_alarms(references(rng, 2_000, runs), traffic, 400, MONTH) == 400).all()


def test_overdispersion_is_estimated() -> None:
    rng = np.random.default_rng(0)
    watched = streams(references(rng, 5_000, 1)[0])
    evidence, total = Evidence.start(watched, 0.0, np.zeros(SIGNALS * BINS)), np.zeros(SIGNALS * BINS)
    for tick in range(400):
        total = total + steady(rng, 1, 700, 7)(tick).ravel()
        evidence = evidence.advance(watched, tick, total)

    assert evidence.overdispersion.mean() == pytest.approx(7, rel=0.05)


def test_few_rows_wait_for_more_and_none_is_lost() -> None:
    watched = streams(np.full(SIGNALS * BINS, 100.0))
    evidence = Evidence.start(watched, 0.0, np.zeros(SIGNALS * BINS))
    total = np.zeros(SIGNALS * BINS)
    one = np.tile(np.append(1.0, np.zeros(BINS - 1)), SIGNALS)
    for tick in range(CHUNK_ROWS - 1):
        total = total + one
        evidence = evidence.advance(watched, tick, total)
    assert not evidence.counted.any()

    evidence = evidence.advance(watched, CHUNK_ROWS, total + one)
    assert watched.rows(evidence.counted).tolist() == [CHUNK_ROWS] * SIGNALS


def test_lost_counts_are_no_change() -> None:
    watched = streams(np.full(SIGNALS * BINS, 100.0))
    before = Evidence.start(watched, 0.0, np.full(SIGNALS * BINS, 1e6))
    after = before.advance(watched, 5.0, np.full(SIGNALS * BINS, 60.0))

    assert (after.counted == 60).all()
    assert (after.null == before.null).all()


def test_fewer_errors_than_held_back_are_no_alarm_and_more_are() -> None:
    """A stream of good and bad: 2 % of 2,000 held-back rows were bad."""
    rng = np.random.default_rng(0)
    watched = Streams(("error",), ONE, np.array([1960.0, 40.0]), np.array([True]), np.array([True]))

    def evidence_after(rate: float) -> float:
        evidence, total, highest = Evidence.start(watched, 0.0, np.zeros(2)), np.zeros(2), -np.inf
        for tick in range(60):
            total = total + rng.multinomial(100, [1 - rate, rate])
            evidence = evidence.advance(watched, tick, total)
            highest = max(highest, float(evidence.log_total))
        return highest

    assert evidence_after(0.0) < np.log(1_000)
    assert evidence_after(0.02) < np.log(MONTH)
    assert evidence_after(0.08) > np.log(MONTH)


def test_it_is_the_same_after_a_restart() -> None:
    rng = np.random.default_rng(0)
    watched = streams(references(rng, 1_000, 1)[0])
    straight = Evidence.start(watched, 0.0, np.zeros(SIGNALS * BINS))
    interrupted, total = straight, np.zeros(SIGNALS * BINS)
    for tick in range(5):
        total = total + steady(rng, 1, 100)(tick).ravel()
        straight = straight.advance(watched, tick, total)
        interrupted = Evidence.from_arrays(interrupted.advance(watched, tick, total).to_arrays())

    assert all(np.array_equal(value, interrupted.to_arrays()[name]) for name, value in straight.to_arrays().items())


def test_the_limit_of_a_burst_is_the_quantile_of_chi_square() -> None:
    freedom = np.array([1.0, 9.0, 99.0])

    np.testing.assert_allclose(_burst_limits(freedom), chi2.ppf(1 - 1e-3, freedom), rtol=0.06)
