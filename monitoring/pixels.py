"""Statistics of images that a person can explain: what changed in the picture, seen before any model looks at it."""

from __future__ import annotations

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
    grey = np.asarray(images, dtype=np.float32).mean(axis=3)
    grey = (grey - np.float32(lowest)) / np.float32(highest - lowest)
    height, width = grey.shape[1:]
    total = grey.sum(axis=(1, 2))
    columns, rows = grey.sum(axis=1), grey.sum(axis=2)
    mean = total / (height * width)
    return {
        "mean": mean,
        "spread": np.sqrt(np.maximum(np.square(grey).sum(axis=(1, 2)) / (height * width) - mean**2, 0)),
        "ink": (grey > 0.5).mean(axis=(1, 2)),
        "edges": (_steps(grey, 1) + _steps(grey, 2)) / 2,
        "centroid_x": _centre(columns, total),
        "centroid_y": _centre(rows, total),
        "saturation": ((grey < _SATURATED) | (grey > 1 - _SATURATED)).mean(axis=(1, 2)),
    }


def _steps(grey: FloatArray, axis: int) -> FloatArray:
    if grey.shape[axis] == 1:
        return np.zeros(len(grey), dtype=np.float32)
    steps: FloatArray = np.abs(np.diff(grey, axis=axis)).mean(axis=(1, 2))
    return steps


def _centre(profile: FloatArray, total: FloatArray) -> FloatArray:
    """Centre of mass of each row of `profile` (n, k), as a share of its length."""
    length = profile.shape[1]
    places = np.linspace(0, 1, length, dtype=np.float32) if length > 1 else np.full(1, 0.5, np.float32)
    weighed = np.divide(profile @ places, total, out=np.full(len(total), 0.5, np.float32), where=total > 0)
    return np.clip(weighed, 0, 1)
