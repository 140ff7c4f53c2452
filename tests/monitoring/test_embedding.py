"""What is measured in the space of the embeddings, against scipy, scikit-learn, and simulation with fixed seeds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.linalg
import scipy.special
import scipy.stats
from numpy.typing import NDArray
from sklearn.covariance import LedoitWolf

from monitoring.drift.f_distribution import f_quantile, incomplete_beta
from monitoring.drift.mmd import Moments
from monitoring.signals import space as embedding_space
from monitoring.signals.energy import Head
from monitoring.signals.fourier import Fourier
from monitoring.signals.outlier import Ranks
from monitoring.signals.space import Space
from tests.compiler import compiled, sanitized
from tests.monitoring import fuzz_distance

Rows = NDArray[Any]
CLASSES, FEATURES = 5, 40


def drawn(rows: int, seed: int) -> tuple[Rows, Rows]:
    """Embeddings as a network gives them: none negative, many 0, two never awake; and their classes."""
    means = np.random.default_rng(7).normal(size=(CLASSES, FEATURES)) * 3
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, CLASSES, rows)
    embeddings = np.maximum(means[labels] + rng.standard_t(5, (rows, FEATURES)), 0).astype(np.float32)
    embeddings[:, :2] = 0
    return embeddings, labels


@pytest.fixture(scope="module")
def space() -> Space:
    return Space.fit(*drawn(2000, 0), CLASSES)


def test_energy_is_minus_logsumexp_of_the_logits() -> None:
    rng = np.random.default_rng(0)
    head = Head(rng.normal(size=(FEATURES, 10)).astype(np.float32), rng.normal(size=10).astype(np.float32))
    embeddings = drawn(300, 1)[0]
    logits = embeddings.astype(np.float64) @ head.weights + head.bias

    energy = head.energy(scipy.special.softmax(logits, axis=1).astype(np.float32), embeddings)

    assert energy == pytest.approx(-scipy.special.logsumexp(logits, axis=1), rel=1e-5, abs=1e-5)


def as_space(embeddings: Rows) -> Rows:
    return embeddings / np.linalg.norm(embeddings, axis=1, keepdims=True) ** 0.5


@pytest.mark.parametrize("rows", [30, 200, 2000])
def test_distance_is_mahalanobis_with_scikit_learns_covariance(rows: int) -> None:
    embeddings, labels = drawn(rows, 2)
    features = as_space(embeddings.astype(np.float64))
    means = np.stack([features[labels == label].mean(axis=0) for label in range(CLASSES)])
    oracle = LedoitWolf(assume_centered=True).fit(features - means[labels])
    space = Space.fit(embeddings, labels, CLASSES, directions=FEATURES)
    others, predicted = drawn(50, 3)

    found = space.distance(space.place(others), predicted)

    away = as_space(others.astype(np.float64)) - means[predicted]
    if rows <= FEATURES:  # the directions in which no two rows of a class differ are not there
        axes = scipy.linalg.orth((features - means[labels]).T).T
        away = away @ axes.T @ axes
    assert found == pytest.approx(np.sqrt(oracle.mahalanobis(away)), rel=1e-3)


def test_what_is_degenerate_stays_a_number(space: Space) -> None:
    nothing = Space.fit(np.zeros((20, 4)), np.zeros(20, dtype=np.int64), 3)
    alone = Space.fit(np.ones((1, 4)), np.zeros(1, dtype=np.int64), 2)
    asleep = np.zeros((1, FEATURES), dtype=np.float32)

    assert nothing.distance(nothing.place(np.zeros((2, 4))), np.array([0, 2])).tolist() == [0, 0]
    assert np.isfinite(alone.distance(alone.place(np.full((2, 4), 3.0)), np.array([0, 1]))).all()
    assert np.isfinite(space.distance(space.place(asleep), np.array([0]))).all()


@pytest.mark.parametrize("in_c", [pytest.param(True, marks=compiled()), False])
def test_a_row_is_as_far_alone_as_among_others(space: Space, in_c: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    rows, predicted = drawn(500, 6)
    rows[:3] = np.array([0, 1e-15, 1e15])[:, None]
    of_one, in_numpy = embedding_space._distance_of_one, []
    monkeypatch.setattr(embedding_space, "_distance_of_one", lambda *given: in_numpy.append(1) if not in_c else of_one(*given))

    alone = [space.distance_of_one(row[None], place) for row, place in zip(rows, predicted, strict=True)]

    assert alone == pytest.approx(space.distance(space.place(rows), predicted), rel=1e-4)
    assert len(in_numpy) == (0 if in_c else 500)


@compiled()
def test_what_c_says_is_what_numpy_says(tmp_path: Path) -> None:
    ran = sanitized("monitoring/signals/distance.c", "tests.monitoring.fuzz_distance", tmp_path, "0", "3000")

    assert (ran.returncode, ran.stdout) == (0, "[]\n"), ran.stderr
    assert sum(fuzz_distance.expected(*case) is not None for case in fuzz_distance.cases(0, 3000)) > 1000


@compiled()
def test_the_distance_in_c_is_used(space: Space) -> None:
    rows, _ = drawn(1, 6)

    assert embedding_space._distance_of_one(rows, space.whitening, space.centres, np.int64(1)) == space.distance_of_one(rows, 1)


def test_a_distance_is_scored_alone_as_among_others() -> None:
    rng = np.random.default_rng(8)
    ranks = Ranks.of(rng.exponential(size=500).astype(np.float32))
    distances = np.concatenate([rng.exponential(size=200), ranks.distances[::9], [0, -1, np.inf, np.nan]]).astype(np.float32)

    assert [ranks.score_of_one(distance) for distance in distances.tolist()] == ranks.score(distances).tolist()


@pytest.mark.parametrize("length", [1e25, np.inf, np.nan])
def test_what_is_too_long_lies_near_nothing(space: Space, length: float) -> None:
    rows = np.full((3, FEATURES), length, dtype=np.float32)

    with np.errstate(all="ignore"):
        distances = [*space.distance(space.place(rows), np.arange(3)), *(space.distance_of_one(row[None], 0) for row in rows)]

    assert np.isnan(distances).all()


def test_rows_of_another_kind_are_farther(space: Space) -> None:
    from sklearn.metrics import roc_auc_score

    same, labels = drawn(500, 4)
    other = np.random.default_rng(5).permuted(same, axis=1)
    near, far = space.distance(space.place(same), labels), space.distance(space.place(other), labels)

    assert roc_auc_score(np.repeat([0, 1], 500), np.concatenate([near, far])) > 0.99
    assert space.distance(space.place(same * 20), labels).min() > np.quantile(near, 0.9), "the length counts too"


@pytest.mark.parametrize("rows", [99, 500, 999])
def test_at_most_the_promised_share_of_like_rows_is_unusual(rows: int) -> None:
    """The share over 2,000 deployments, each with reference rows of its own, is at most what the level says, and not far below."""
    rng = np.random.default_rng(rows)
    scores = [Ranks.of(rng.exponential(size=rows)).score(rng.exponential(size=20)) for _ in range(2000)]

    for level in (0.9, 0.99, 0.999):
        if level <= rows / (rows + 1):
            promised = 1 - level
            over = np.mean(np.concatenate(scores) >= level)
            assert 0.3 * promised < over < promised + 3 * (promised / 40_000) ** 0.5 + 0.1 * promised


def test_levels_are_those_that_the_rows_can_tell() -> None:
    assert [Ranks(np.arange(float(rows))).levels for rows in (0, 98, 99, 998, 999)] == [
        ("typical",), ("typical",), ("typical", "unusual"), ("typical", "unusual"), ("typical", "unusual", "extreme"),
    ]  # fmt: skip


def test_many_reference_rows_are_thinned() -> None:
    distances = np.random.default_rng(0).permutation(50_000).astype(float)
    ranks = Ranks.of(distances)

    assert len(ranks.distances) == 10_000
    assert ranks.score(np.array([-1, 25_000, 49_990, 1e9, np.nan])) == pytest.approx([0, 0.5, 0.9998, 0.9999, 0.9999], abs=2e-4)
    assert ranks.count(np.array([1, 2, 49_600, np.nan])).tolist() == [2, 1, 1]


def test_many_waves_are_the_gaussian_kernel() -> None:
    places = np.random.default_rng(0).normal(size=(40, 3))
    fourier = Fourier.fit(places, seed=1, waves=20_000)
    waves = fourier.waves(places)

    squares = ((places[:, None] - places[None]) ** 2).sum(axis=2)
    width = np.median(np.sqrt(squares[np.triu_indices(40, 1)]))
    assert 2 * waves @ waves.T / 20_000 == pytest.approx(np.exp(-squares / (2 * width**2)), abs=0.05)


def test_waves_add_up_and_what_is_no_number_is_left_out() -> None:
    rng = np.random.default_rng(0)
    places = rng.normal(size=(100, 4)).astype(np.float32)
    fourier = Fourier.fit(places, seed=0)
    with_nan = np.vstack([places, np.full((2, 4), np.nan, dtype=np.float32)])

    assert fourier.count(places[:30]) + fourier.count(places[30:]) == pytest.approx(fourier.count(places), rel=1e-5)
    assert fourier.count(with_nan) == pytest.approx(fourier.count(places), rel=1e-6)


@pytest.mark.parametrize("above", [1, 2, 5, 25, 32])
@pytest.mark.parametrize("below", [1, 8, 35, 975, 9968, 1e6])
@pytest.mark.parametrize("probability", [0.01, 0.5, 0.99, 0.9999])
def test_f_quantile_is_scipys(above: int, below: float, probability: float) -> None:
    found = f_quantile(above, below, probability)

    assert found == pytest.approx(scipy.stats.f.ppf(probability, above, below), rel=1e-6)
    assert incomplete_beta(above * found / (above * found + below), above / 2, below / 2) == pytest.approx(probability, rel=1e-7)


@pytest.mark.parametrize(("reference_rows", "rows"), [(100, 50), (700, 50), (700, 2000), (1000, 100), (1000, 20_000), (5000, 1000)])
def test_the_limit_is_exceeded_without_drift_as_rarely_as_it_says(space: Space, reference_rows: int, rows: int) -> None:
    """At the level 1 % over 1,000 windows, each fourth with a reference of its own. From 20,000 rows as if they were all there are."""
    rng = np.random.default_rng(reference_rows + rows)
    fourier = Fourier.fit(space.place(drawn(2000, 0)[0]), seed=0)
    waves = fourier.waves(space.place(drawn(20_000, 9)[0])).astype(np.float64)
    over = 0
    for _ in range(250):
        moments = Moments.of(waves[rng.integers(0, len(waves), reference_rows)])
        for _ in range(4):
            total = rng.multinomial(rows, np.full(len(waves), 1 / len(waves))) @ waves
            over += moments.distance(rows, total) > moments.limit(reference_rows, rows, alpha=0.01)
    assert over <= 20


def test_with_normal_rows_the_limit_is_hotellings() -> None:
    """Exactly: within three standard errors of 1 %, however few reference rows there are."""
    rng = np.random.default_rng(0)
    over = 0
    for _ in range(6000):
        reference, live = rng.normal(size=(50, 1)), rng.normal(size=(60, 1))
        moments = Moments.of(reference)
        over += moments.distance(60, live.sum(axis=0)) > moments.limit(50, 60, alpha=0.01)
    assert abs(over - 60) < 3 * 60**0.5


def test_a_shift_is_far_over_the_limit(space: Space) -> None:
    fourier = Fourier.fit(space.place(drawn(2000, 0)[0]), seed=0)
    moments = Moments.of(fourier.waves(space.place(drawn(1000, 1)[0])))
    same, labels = drawn(300, 2)
    for name, rows, over in [("same", same, False), ("a class gone", same[labels > 0], True), ("shuffled", same[:, ::-1], True)]:
        count = fourier.count(space.place(rows))
        assert (moments.distance(count[0], count[1:]) > moments.limit(1000, count[0])) == over, name


def test_waves_that_never_vary_are_left_out() -> None:
    waves = np.random.default_rng(0).normal(size=(200, 3)) * [1, 0, 1]
    still = Moments.of(np.ones((200, 3)))

    assert Moments.of(waves).whitening.shape == (3, 2)
    assert not still.enough(200, 1000)
    assert not Moments.of(waves).enough(200, 49)
    assert not Moments.of(waves[:30]).enough(30, 1000)
