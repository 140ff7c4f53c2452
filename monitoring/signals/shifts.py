"""Shifts: ways in which the world may change, to try out beforehand how soon that would be noticed and what it would cost.

Shifts of the inputs change the rows; shifts of the classes change how often a row comes. The settings of S. Rabanser, S. Günnemann and
Z. Lipton, "Failing Loudly" (NeurIPS 2019, section 4), are `noise` 1, 10, 100, `affine` 10, 40, 90, `class_gone` 0, each with a share.

>>> white = np.full((1, 1, 2, 1), 250.0)
>>> apply("brightness", white, 60, np.random.default_rng(0)).ravel().tolist(), find("image")["brightness"].unit
([255.0, 255.0], 'of 255, added to every pixel')
>>> weights("class_gone", np.array([0, 1, 1]), 1, np.random.default_rng(0)).tolist()
[1.0, 0.0, 0.0]
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from monitoring.arrays import FloatArray, IntArray
from monitoring.signals.warping import blurred, warp

WHITE = 255.0
Change = Callable[[FloatArray, float, np.random.Generator], FloatArray]
Weigh = Callable[[IntArray, float, np.random.Generator], FloatArray]


@dataclass(frozen=True)
class Shift:
    """What it is `about`, its usual `strength` and in what `unit`. It has either a `change` of rows or a `weigh`ing of their classes."""

    about: str
    strength: float
    unit: str
    change: Change | None = None
    weigh: Weigh | None = None


def apply(
    name: str, rows: FloatArray, strength: float | None, rng: np.random.Generator, share: float = 1.0, kind: str = "image"
) -> FloatArray:
    """Rows (n, …) after a shift of the inputs, of which a random `share` has changed; float32. Images are (n, h, w, c) in 0 to 255."""
    shift = find(kind)[name]
    assert shift.change
    before = np.asarray(rows, dtype=np.float64)
    after = shift.change(before, shift.strength if strength is None else strength, rng)
    changed = (rng.random(len(rows)) < share).reshape(-1, *[1] * (rows.ndim - 1))
    shifted: FloatArray = np.where(changed, after, before).astype(np.float32)
    return np.clip(shifted, 0, WHITE) if kind == "image" else shifted


def weights(name: str, labels: IntArray, strength: float | None, rng: np.random.Generator) -> FloatArray:
    """How often each row (n,) comes after a shift of the classes, beside 1 for before. `labels` (n,) are class numbers."""
    shift = CLASS_SHIFTS[name]
    assert shift.weigh
    return shift.weigh(labels, shift.strength if strength is None else strength, rng)


def prior_weights(labels: IntArray, prior: FloatArray) -> FloatArray:
    """How often each row (n,) comes when the classes have the shares `prior` (classes,), beside 1 for before.

    >>> prior_weights(np.array([0, 0, 0, 1]), np.array([0.5, 0.5])).round(3).tolist()
    [0.667, 0.667, 0.667, 2.0]
    """
    rows = np.bincount(labels, minlength=len(prior))
    by_class: FloatArray = np.divide(prior * len(labels), rows, out=np.zeros(len(rows)), where=rows > 0)
    return by_class[labels]


def find(kind: str) -> dict[str, Shift]:
    """The shifts that there are for inputs of a kind (`models.manifest.Input`), by name."""
    return (IMAGE_SHIFTS if kind == "image" else ROW_SHIFTS) | CLASS_SHIFTS


def _brightness(images: FloatArray, added: float, rng: np.random.Generator) -> FloatArray:
    return images + added


def _contrast(images: FloatArray, percent: float, rng: np.random.Generator) -> FloatArray:
    mean = images.mean(axis=(1, 2, 3), keepdims=True)
    contrasted: FloatArray = mean + (images - mean) * (1 + percent / 100)
    return contrasted


def _noise(images: FloatArray, sigma: float, rng: np.random.Generator) -> FloatArray:
    return images + rng.normal(0, sigma, images.shape)


def _rotation(images: FloatArray, degrees: float, rng: np.random.Generator) -> FloatArray:
    n = len(images)
    return warp(images, np.full(n, np.deg2rad(degrees)), np.ones(n), np.zeros((n, 2)))


def _zoom(images: FloatArray, percent: float, rng: np.random.Generator) -> FloatArray:
    n = len(images)
    return warp(images, np.zeros(n), np.full(n, max(0.01, 1 + percent / 100)), np.zeros((n, 2)))


def _translation(images: FloatArray, pixels: float, rng: np.random.Generator) -> FloatArray:
    n = len(images)
    return warp(images, np.zeros(n), np.ones(n), np.full((n, 2), pixels))


def _affine(images: FloatArray, degrees: float, rng: np.random.Generator) -> FloatArray:
    n, part = len(images), min(0.5, degrees / 200)
    angles = np.deg2rad(rng.uniform(-degrees, degrees, n))
    return warp(images, angles, 1 + rng.uniform(-part, part, n), rng.uniform(-part, part, (n, 2)) * images.shape[1:3])


def _blur(images: FloatArray, sigma: float, rng: np.random.Generator) -> FloatArray:
    return blurred(images, sigma)


def _inversion(images: FloatArray, percent: float, rng: np.random.Generator) -> FloatArray:
    return images + (WHITE - 2 * images) * percent / 100


def _occlusion(images: FloatArray, percent: float, rng: np.random.Generator) -> FloatArray:
    n, *size = images.shape[:3]
    inside = []
    for length in size:
        side = min(length, round(length * percent / 100))
        start = rng.integers(0, length - side + 1, (n, 1))
        inside.append((np.arange(length) >= start) & (np.arange(length) < start + side))
    covered = inside[0][:, :, None] & inside[1][:, None, :]
    return np.where(covered[..., None], 0.0, images)


def _dead_pixels(images: FloatArray, percent: float, rng: np.random.Generator) -> FloatArray:
    size = images.shape[1:3]
    dead, value = rng.random(size) < percent / 100, rng.integers(0, 2, size) * WHITE
    return np.where(dead[None, ..., None], value[None, ..., None], images)


def _constant(images: FloatArray, value: float, rng: np.random.Generator) -> FloatArray:
    return np.full_like(images, value)


def _scale(rows: FloatArray, percent: float, rng: np.random.Generator) -> FloatArray:
    return rows * (percent / 100)


def _column_noise(rows: FloatArray, deviations: float, rng: np.random.Generator) -> FloatArray:
    noise: FloatArray = rng.normal(0, 1, rows.shape) * deviations * np.nanstd(rows, axis=0)
    return rows + noise


def _offset(rows: FloatArray, deviations: float, rng: np.random.Generator) -> FloatArray:
    moved: FloatArray = rows + deviations * np.nanstd(rows, axis=0)
    return moved


def _missing(rows: FloatArray, percent: float, rng: np.random.Generator) -> FloatArray:
    """NaN would be refused at the door: what is missing comes as 0."""
    return np.where(rng.random(rows.shape) < percent / 100, 0.0, rows)


def _times(factor: float) -> Weigh:
    return lambda labels, number, rng: np.where(labels == int(number), factor, 1.0)


def _label_shift(labels: IntArray, concentration: float, rng: np.random.Generator) -> FloatArray:
    return prior_weights(labels, rng.dirichlet(np.full(labels.max() + 1, concentration)))


IMAGE_SHIFTS = {
    "brightness": Shift("brighter, or darker if negative", 60, "of 255, added to every pixel", _brightness),
    "contrast": Shift("differences to the mean of the image larger, or smaller if negative", -50, "percent", _contrast),
    "noise": Shift("Gaussian noise on every pixel", 30, "of 255, its standard deviation", _noise),
    "rotation": Shift("turned", 30, "degrees to the right", _rotation),
    "zoom": Shift("larger, or smaller if negative", 30, "percent", _zoom),
    "translation": Shift("moved down and right", 4, "pixels", _translation),
    "affine": Shift(
        "each image turned, moved and zoomed at random", 40, "degrees at most; moved and zoomed half a percent as far", _affine
    ),
    "blur": Shift("out of focus", 1.5, "pixels, the kernel's standard deviation", _blur),
    "inversion": Shift("towards the negative", 100, "percent of the way", _inversion),
    "occlusion": Shift("a black square somewhere", 40, "percent of height and width", _occlusion),
    "dead_pixels": Shift("the same pixels always black or white", 5, "percent of the pixels", _dead_pixels),
    "constant": Shift("one value in place of every image", 0, "of 255, the value", _constant),
    "scale": Shift("every value multiplied; 0.4 is a client that divides by 255 itself", 50, "percent", _scale),
}
ROW_SHIFTS = {
    "noise": Shift("Gaussian noise on every value", 1, "standard deviations of its column", _column_noise),
    "offset": Shift("every value moved", 1, "standard deviations of its column", _offset),
    "scale": Shift("every value multiplied", 150, "percent", _scale),
    "missing": Shift("values lost, 0 in their place", 10, "percent of the values", _missing),
}
CLASS_SHIFTS = {
    "class_gone": Shift("a class does not come any more", 0, "the class", weigh=_times(0.0)),
    "class_halved": Shift("a class comes half as often", 0, "the class", weigh=_times(0.5)),
    "class_doubled": Shift("a class comes twice as often", 0, "the class", weigh=_times(2.0)),
    "label_shift": Shift(
        "all classes come with other shares, drawn at random", 5, "the Dirichlet concentration: less is wilder", weigh=_label_shift
    ),
}
TABLES = {"images": IMAGE_SHIFTS, "other inputs": ROW_SHIFTS, "classes": CLASS_SHIFTS}
