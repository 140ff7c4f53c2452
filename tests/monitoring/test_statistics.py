"""Every statistic against an oracle: scipy, plain numpy, or simulation with a fixed seed."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from monitoring.accuracy.class_scores import class_scores
from monitoring.accuracy.confusion import accuracy, add_labels
from monitoring.accuracy.delay import delay
from monitoring.accuracy.labels import Labels
from monitoring.accuracy.wilson import wilson
from monitoring.counts.layout import BATCH_BOUNDS, DELAY_BOUNDS, Layout, histogram, label_layout, observe
from monitoring.drift.psi import ALPHA, chi2_quantile, enough, psi, psi_limit
from monitoring.signals.answered import CLASSES
from monitoring.signals.binning import Bins, bin_counts, class_edges, quantile_edges
from monitoring.signals.pixels import pixel_statistics


@given(st.integers(1, 5000), st.data(), st.sampled_from([0.8, 0.95, 0.99]))
def test_wilson_is_scipys(rows: int, data: st.DataObject, confidence: float) -> None:
    hits = data.draw(st.integers(0, rows))

    ours = wilson(hits, rows, confidence)

    theirs = scipy.stats.binomtest(hits, rows).proportion_ci(confidence, method="wilson")
    assert (ours.lower, ours.upper) == pytest.approx((theirs.low, theirs.high), abs=1e-12)
    assert ours.lower <= ours.value <= ours.upper or ours.value in (0, 1)


def test_wilson_of_nothing_is_an_error() -> None:
    with pytest.raises(ValueError, match="no rows"):
        wilson(0, 0)


@pytest.mark.parametrize("freedom", [1, 2, 3, 9, 19, 99])
def test_the_chi2_quantile_is_never_too_narrow_at_the_limits_level(freedom: int) -> None:
    exact = scipy.stats.chi2.ppf(1 - ALPHA, freedom)

    assert exact <= chi2_quantile(freedom, 1 - ALPHA) <= 1.08 * exact


@pytest.mark.parametrize(
    ("reference_rows", "rows"), [(1000, 50), (1000, 100), (1000, 1000), (1000, 50_000), (10_000, 500), (10_000, 50_000)]
)
@pytest.mark.parametrize("kind", ["classes", "quantiles"])
def test_the_limit_is_exceeded_without_drift_as_rarely_as_it_says(reference_rows: int, rows: int, kind: str) -> None:
    """At the level 1 % over 2,000 deployments, each with a reference of its own: at most twice as often, and not never."""
    rng = np.random.default_rng(7)
    share = rng.dirichlet(np.full(10, 30.0))
    over = 0
    for _ in range(2000):
        if kind == "classes":
            reference, live = rng.multinomial(reference_rows, share), rng.multinomial(rows, share)
        else:
            edges = np.sort(rng.random(reference_rows))[:: reference_rows // 10][1:]  # quantile edges of a uniform reference
            reference = np.full(10, reference_rows // 10)
            live = rng.multinomial(rows, np.diff(np.concatenate([[0], edges, [1]])))
        over += psi(reference, live) > chi2_quantile(9, 0.99) * (1 / reference_rows + 1 / rows)
    assert 2 <= over <= 40


def test_the_fixed_limit_in_general_use_would_cry_wolf() -> None:
    """The reason for the limit: PSI > 0.1 at 100 rows without any drift, in more than a quarter of the cases."""
    rng = np.random.default_rng(1)
    share = np.full(10, 0.1)
    found = [psi(rng.multinomial(10_000, share), rng.multinomial(100, share)) for _ in range(500)]

    assert np.mean(np.array(found) > 0.1) > 0.25
    assert np.mean(np.array(found) > psi_limit(10, 10_000, 100)) < 0.01


def test_few_rows_are_not_enough() -> None:
    assert not enough(10, 49)
    assert enough(10, 50)


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=300))
def test_every_value_is_in_exactly_one_bin(values: list[float]) -> None:
    array = np.array(values)

    edges = quantile_edges(array)

    counts = bin_counts(array, edges)
    expected = [np.sum((array >= low) & (array < high)) for low, high in zip([-np.inf, *edges], [*edges, np.inf], strict=True)]
    assert counts.tolist() == expected
    assert np.all(np.diff(edges) > 0)


def test_a_mass_of_equal_values_keeps_a_bin_of_its_own() -> None:
    confidence = np.concatenate([np.linspace(0.5, 0.99, 300), np.ones(700)])

    counts = bin_counts(confidence, quantile_edges(confidence))

    assert counts[-1] == 700


def test_classes_have_a_bin_each() -> None:
    assert bin_counts(np.array([0.0, 2.0, 2.0]), class_edges(4)).tolist() == [1, 0, 2, 0]


def test_bins_of_several_signals_are_those_of_each() -> None:
    rng = np.random.default_rng(0)
    edges = [class_edges(100), np.sort(rng.normal(size=9)), np.array([0.0]), class_edges(3), np.array([-1e-6, 1e-6])]
    values = [rng.integers(0, 100, 500).astype(float), rng.normal(size=500).astype(np.float32), *rng.normal(size=(3, 500))]
    values[1][:9], values[2][:3], values[4][:2] = edges[1], (np.nan, np.inf, -np.inf), (np.nan, -1e-6)
    bins = Bins(edges)

    places = bins.places(values)

    assert bins.counts(places).tolist() == np.concatenate([bin_counts(*pair) for pair in zip(values, edges, strict=True)]).tolist()
    some = rng.random(500) < 0.1
    expected = np.concatenate([bin_counts(one[some], cut) for one, cut in zip(values, edges, strict=True)])
    assert bins.counts(places[:, some]).tolist() == expected.tolist()


def test_answer_signals_are_scipys() -> None:
    probabilities = np.random.default_rng(0).dirichlet(np.ones(10), 50)

    signals = CLASSES.signals(probabilities)

    assert signals["entropy"] == pytest.approx(scipy.stats.entropy(probabilities, axis=1))
    assert signals["confidence"].tolist() == probabilities.max(axis=1).tolist()
    assert signals["class"].tolist() == probabilities.argmax(axis=1).tolist()


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(("lowest", "highest"), [(0, 255), (0, 1), (-20, 300)])
def test_pixels_give_the_same_as_bytes_and_as_numbers(channels: int, lowest: float, highest: float) -> None:
    images = np.random.default_rng(0).choice([0, 1, 2, 127, 128, 253, 254, 255, 77], (200, 5, 7, channels)).astype(np.uint8)

    as_bytes, as_numbers = (pixel_statistics(given, lowest, highest) for given in (images, images.astype(np.float32)))

    assert {name: values.tolist() for name, values in as_bytes.items()} == {name: values.tolist() for name, values in as_numbers.items()}


@pytest.mark.parametrize("shape", [(1000, 28, 28, 1), (3, 400, 400, 3), (0, 8, 8, 1)])
def test_many_pixels_give_the_same_as_a_few(shape: tuple[int, ...]) -> None:
    images = np.random.default_rng(0).integers(0, 256, shape).astype(np.uint8)
    found = pixel_statistics(images, 0, 255)
    assert {len(values) for values in found.values()} == {len(images)}
    for some in np.array_split(np.arange(len(images)), 5):
        for name, values in pixel_statistics(images[some], 0, 255).items():
            assert found[name][some] == pytest.approx(values, rel=1e-6)


@pytest.mark.parametrize("channels", [1, 3])
def test_pixel_statistics_by_plain_loops(channels: int) -> None:
    images = np.random.default_rng(0).integers(0, 256, (4, 5, 7, channels)).astype(np.float32)
    images[0] = 0

    found = pixel_statistics(images, 0, 255)

    for i, image in enumerate(images):
        grey = image.mean(axis=2) / 255
        rows, columns = np.indices(grey.shape)
        mass = grey.sum()
        assert found["mean"][i] == pytest.approx(grey.mean(), abs=1e-6)
        assert found["spread"][i] == pytest.approx(grey.std(), abs=1e-4)
        assert found["ink"][i] == pytest.approx((grey > 0.5).mean())
        edges = (np.abs(np.diff(grey, axis=0)).mean() + np.abs(np.diff(grey, axis=1)).mean()) / 2
        assert found["edges"][i] == pytest.approx(edges, abs=1e-5)
        centre = ((columns * grey).sum() / mass / 6, (rows * grey).sum() / mass / 4) if mass else (0.5, 0.5)
        assert (found["centroid_x"][i], found["centroid_y"][i]) == pytest.approx(centre, abs=1e-5)
        assert found["saturation"][i] == pytest.approx(((grey == 0) | (grey == 1)).mean())


@given(st.lists(st.floats(0, 1000), max_size=50))
def test_histograms_are_prometheus_own(values: list[float]) -> None:
    from prometheus_client import CollectorRegistry, Histogram

    oracle = Histogram("x", "x", buckets=BATCH_BOUNDS, registry=CollectorRegistry())
    for value in values:
        oracle.observe(value)
    layout = Layout(histogram("x", BATCH_BOUNDS))
    row = np.zeros(layout.size)

    observe(layout.split(row), "x", BATCH_BOUNDS, np.array(values))

    buckets = [sample.value for sample in next(iter(oracle.collect())).samples if sample.name == "x_bucket"]
    assert np.cumsum(layout.split(row)["x"]).tolist() == buckets
    assert layout.split(row)["x_sum"][0] == pytest.approx(sum(values))


@pytest.mark.parametrize("classes", [3, 20, 21, 100])
def test_labels_add_up_to_sklearns_confusion_and_accuracy(classes: int) -> None:
    from sklearn.metrics import accuracy_score, confusion_matrix, precision_recall_fscore_support

    rng = np.random.default_rng(classes)
    predicted = rng.integers(0, classes, 400)
    actual = np.where(rng.random(400) < 0.8, predicted, rng.integers(0, classes, 400))
    times, confidence = np.zeros(400), rng.random(400)
    layout = label_layout(classes)

    total = add_labels(layout, np.zeros(layout.size), Labels(predicted[:100], actual[:100], times[:100], times[:100] + 5, confidence[:100]))
    total = add_labels(layout, total, Labels(predicted[100:], actual[100:], times[100:], times[100:] + 5, confidence[100:]))

    parts = layout.split(total)
    matrix = confusion_matrix(actual, predicted, labels=range(classes))
    if classes <= 20:
        assert parts["confusion"].tolist() == matrix.tolist()
    else:
        hits = np.diag(matrix)
        assert parts["outcomes"].tolist() == [hits.tolist(), (matrix.sum(axis=0) - hits).tolist(), (matrix.sum(axis=1) - hits).tolist()]
    interval = accuracy(parts)
    assert interval is not None
    assert interval.value == pytest.approx(accuracy_score(actual, predicted))
    assert parts["delay"][DELAY_BOUNDS.index(10)] == 400
    rows, hits, sums = parts["calibration"]
    assert rows.tolist() == np.histogram(confidence, np.arange(16) / 15)[0].tolist()
    assert (hits.sum(), sums.sum()) == (pytest.approx(np.trace(matrix)), pytest.approx(confidence.sum()))
    scores = class_scores(parts)
    oracle = precision_recall_fscore_support(actual, predicted, labels=range(classes), zero_division=np.nan)
    for ours, theirs in zip((scores.precision, scores.recall, scores.f1), oracle, strict=False):
        assert [None if np.isnan(value) else value for value in theirs] == pytest.approx(list(ours))
    assert list(scores.actual) == oracle[3].tolist()
    assert list(scores.predicted) == matrix.sum(axis=0).tolist()
    assert list(scores.hits) == np.diag(matrix).tolist()


def test_values_far_out_of_range_are_counted_without_a_word() -> None:
    images = np.full((3, 4, 4, 1), 3e38, dtype=np.float32)
    images[1] = -3e38

    found = pixel_statistics(images, 0, 255)

    for name, values in found.items():
        assert bin_counts(values, np.array([0.2, 0.8])).sum() == 3, name


@given(st.lists(st.floats(0, 40 * 86400), min_size=1, max_size=300))
def test_quantiles_of_the_delay_lie_in_the_bucket_of_the_true_ones(seconds: list[float]) -> None:
    layout = Layout(histogram("delay", DELAY_BOUNDS))
    parts = layout.split(np.zeros(layout.size))
    observe(parts, "delay", DELAY_BOUNDS, np.array(seconds))

    found = delay(DELAY_BOUNDS, parts["delay"], parts["delay_sum"][0])

    assert found is not None
    assert found.mean_seconds == pytest.approx(np.mean(seconds))
    for ours, share in ((found.median_seconds, 0.5), (found.p90_seconds, 0.9)):
        true = np.quantile(seconds, share, method="inverted_cdf")
        place = np.searchsorted(DELAY_BOUNDS, true)
        low, high = [0, *DELAY_BOUNDS, DELAY_BOUNDS[-1]][place : place + 2]
        assert low - 1e-6 <= ours <= high + 1e-6


def test_no_labels_have_no_delay_and_no_scores() -> None:
    assert delay(DELAY_BOUNDS, np.zeros(len(DELAY_BOUNDS) + 1), 0.0) is None
    nothing = class_scores({"confusion": np.zeros((2, 2))})
    assert (nothing.precision, nothing.recall, nothing.f1) == ((None, None),) * 3
