"""Statistics of images that a person can explain: what changed in the picture, seen before any model looks at it."""

from __future__ import annotations

import functools

import numpy as np

from monitoring.arrays import FloatArray

#: A pixel counts as saturated within this share of the range from either end.
_SATURATED = 1 / 512


def pixel_statistics(images: FloatArray, lowest: float, highest: float) -> dict[str, FloatArray]:
    """Per image, each in 0 to 1. `images` has shape (n, height, width, channels), values from `lowest` to `highest`.

    mean        mean intensity
    spread      standard deviation of the intensity
    ink         share of pixels brighter than half
    edges       mean absolute difference between neighbours
    centroid_x, centroid_y   centre of mass of the intensity as a share of the width or height (0.5 for a black image)
    saturation  share of pixels at either end of the range

    >>> one = np.zeros((1, 2, 2, 1)); one[0, 0, 1, 0] = 255
    >>> {name: float(value[0]) for name, value in pixel_statistics(one, 0, 255).items()}
    {'mean': 0.25, 'spread': 0.4330126941204071, 'ink': 0.25, 'edges': 0.5, 'centroid_x': 1.0, 'centroid_y': 0.0, 'saturation': 1.0}
    """
    with np.errstate(over="ignore", invalid="ignore"):  # values far out of the range end in the outermost bins, whatever they give here
        return _statistics(images, lowest, highest)


def _statistics(images: FloatArray, lowest: float, highest: float) -> dict[str, FloatArray]:
    count, height, width, channels = images.shape
    span = np.float32(highest - lowest)
    grey = np.asarray(images, dtype=np.float32)
    rows = (grey.mean(axis=3) if channels > 1 else grey).reshape(count, -1) - np.float32(lowest)
    total, across, down = (rows @ _weights(height, width)).T
    pixels = height * width
    mean = total / pixels
    return {
        "mean": mean / span,
        "spread": np.sqrt(np.maximum(np.einsum("ij,ij->i", rows, rows) / pixels - mean**2, 0)) / span,
        "ink": np.count_nonzero(rows > span / 2, axis=1) / pixels,
        "edges": _steps(rows.reshape(count, height, width)) / span,
        "centroid_x": _centre(across, total),
        "centroid_y": _centre(down, total),
        "saturation": (np.count_nonzero(rows < span * _SATURATED, axis=1) + np.count_nonzero(rows > span * (1 - _SATURATED), axis=1))
        / pixels,
    }


@functools.cache
def _weights(height: int, width: int) -> FloatArray:
    """What the pixels of an image are multiplied by for their sum and for its moments across and down: (height * width, 3)."""
    down, across = np.meshgrid(_places(height), _places(width), indexing="ij")
    return np.stack([np.ones(height * width), across.ravel(), down.ravel()], axis=1).astype(np.float32)


def _places(length: int) -> FloatArray:
    return np.linspace(0, 1, length) if length > 1 else np.full(1, 0.5)


def _steps(grey: FloatArray) -> FloatArray:
    """The mean absolute step to the next pixel, down and across, of images (n, height, width)."""
    _, height, width = grey.shape
    down = np.abs(grey[:, 1:] - grey[:, :-1]).sum(axis=(1, 2)) / max(1, (height - 1) * width)
    across = np.abs(grey[:, :, 1:] - grey[:, :, :-1]).sum(axis=(1, 2)) / max(1, height * (width - 1))
    steps: FloatArray = (down + across) / 2
    return steps


def _centre(moment: FloatArray, total: FloatArray) -> FloatArray:
    """Centre of mass (n,); the middle where there is no mass."""
    return np.clip(np.divide(moment, total, out=np.full(len(total), 0.5, np.float32), where=total > 0), 0, 1)
