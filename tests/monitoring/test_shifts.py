"""Shifts: what each does to real images, with scipy as the oracle of those that move and blur pixels."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage

from monitoring.signals import shifts
from monitoring.signals.shifts import CLASS_SHIFTS, IMAGE_SHIFTS, ROW_SHIFTS, TABLES, apply, prior_weights, weights
from tests.small_models import Data


@pytest.fixture(scope="module")
def images(digits8: Data) -> NDArray[np.float32]:
    return digits8.test_x[:40].astype(np.float32)


def apply_to(images: NDArray[np.float32], name: str, strength: float | None = None, share: float = 1.0) -> NDArray[np.floating]:
    return apply(name, images, strength, np.random.default_rng(0), share)


@pytest.mark.parametrize("name", IMAGE_SHIFTS)
def test_every_shift_of_images_changes_them_within_the_range_and_leaves_the_rest_alone(images: NDArray[np.float32], name: str) -> None:
    before = images.copy()
    after = apply_to(images, name)
    assert after.shape == images.shape
    assert after.dtype == np.float32
    assert 0 <= after.min() <= after.max() <= 255
    assert not np.array_equal(after, images)
    np.testing.assert_array_equal(images, before)
    np.testing.assert_array_equal(after, apply_to(images, name))
    np.testing.assert_array_equal(apply_to(images, name, share=0.0), images)


@pytest.mark.parametrize("name", ["brightness", "contrast", "noise", "rotation", "zoom", "translation", "affine", "blur", "inversion"])
def test_no_strength_is_no_shift(images: NDArray[np.float32], name: str) -> None:
    np.testing.assert_allclose(apply_to(images, name, 0), images, atol=1e-4)


@pytest.mark.parametrize("degrees", [10, 40, 90, 137])
def test_rotation_is_that_of_scipy(images: NDArray[np.float32], degrees: float) -> None:
    expected = ndimage.rotate(images.astype(float), -degrees, axes=(1, 2), reshape=False, order=1, mode="nearest")
    np.testing.assert_allclose(apply_to(images, "rotation", degrees), expected, atol=0.01)


def test_zoom_and_translation_are_those_of_scipy(images: NDArray[np.float32]) -> None:
    middle, zoom = 3.5, 1.3
    matrix = np.diag([1, 1 / zoom, 1 / zoom, 1])
    zoomed = ndimage.affine_transform(
        images.astype(float), matrix, [0, middle - middle / zoom, middle - middle / zoom, 0], order=1, mode="nearest"
    )
    np.testing.assert_allclose(apply_to(images, "zoom", 30), zoomed, atol=0.01)
    moved = ndimage.shift(images.astype(float), (0, 1.5, 1.5, 0), order=1, mode="nearest")
    np.testing.assert_allclose(apply_to(images, "translation", 1.5), moved, atol=0.01)


@pytest.mark.parametrize("sigma", [0.5, 1.5])
def test_blur_is_that_of_scipy(images: NDArray[np.float32], sigma: float) -> None:
    expected = ndimage.gaussian_filter(images.astype(float), (0, sigma, sigma, 0), mode="nearest")
    np.testing.assert_allclose(apply_to(images, "blur", sigma), expected, atol=0.01)


def test_noise_has_the_strength_it_says() -> None:
    grey = np.full((50, 20, 20, 1), 128.0, dtype=np.float32)
    assert (apply_to(grey, "noise", 10) - grey).std() == pytest.approx(10, rel=0.02)


def test_occlusion_and_dead_pixels_cover_what_they_say() -> None:
    grey = np.full((50, 20, 20, 1), 128.0, dtype=np.float32)
    covered = apply_to(grey, "occlusion", 40)
    assert (covered == 0).sum(axis=(1, 2, 3)).tolist() == [64] * 50
    dead = apply_to(grey, "dead_pixels", 10) != 128
    assert dead[0].mean() == pytest.approx(0.1, abs=0.04)
    assert (dead == dead[0]).all()


def test_a_share_of_the_rows_changes(images: NDArray[np.float32]) -> None:
    many = np.repeat(images, 25, axis=0)
    changed = (apply_to(many, "inversion", share=0.1) != many).any(axis=(1, 2, 3))
    assert changed.mean() == pytest.approx(0.1, abs=0.03)


@pytest.mark.parametrize("name", ROW_SHIFTS)
def test_every_shift_of_rows_changes_them(name: str) -> None:
    rows = np.random.default_rng(0).normal(5, 2, (200, 3)).astype(np.float32)
    after = apply(name, rows, None, np.random.default_rng(0), kind="tabular")
    assert after.shape == rows.shape
    assert np.isfinite(after).all()
    assert (after != rows).any(axis=1).mean() > 0.2


def test_class_shifts_change_the_shares_of_the_classes_and_nothing_else() -> None:
    labels = np.repeat([0, 1, 2], [10, 20, 70])
    rng = np.random.default_rng(0)

    def shares(name: str, strength: float) -> NDArray[np.float64]:
        by_row = weights(name, labels, strength, rng)
        return np.bincount(labels, by_row) / by_row.sum()

    np.testing.assert_allclose(shares("class_gone", 0), [0, 20 / 90, 70 / 90])
    np.testing.assert_allclose(shares("class_halved", 2), [10 / 65, 20 / 65, 35 / 65])
    np.testing.assert_allclose(shares("class_doubled", 1), [10 / 120, 40 / 120, 70 / 120])
    assert shares("label_shift", 5).sum() == pytest.approx(1)
    given = prior_weights(labels, np.array([0.2, 0.5, 0.3]))
    np.testing.assert_allclose(np.bincount(labels, given) / given.sum(), [0.2, 0.5, 0.3])


def test_each_shift_says_what_it_is() -> None:
    for table in TABLES.values():
        for shift in table.values():
            assert shift.about
            assert shift.unit
            assert (shift.change is None) != (shift.weigh is None)
    assert set(shifts.find("image")) == {*IMAGE_SHIFTS, *CLASS_SHIFTS}
    assert set(shifts.find("tabular")) == {*ROW_SHIFTS, *CLASS_SHIFTS}
