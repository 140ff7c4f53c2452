"""Images moved, turned, zoomed and blurred. What comes in over the border is the pixel at the border.

>>> one = np.arange(9.0).reshape(1, 3, 3, 1)
>>> warp(one, np.array([np.deg2rad(90)]), np.ones(1), np.zeros((1, 2)))[0, :, :, 0].round(9).tolist()     # a quarter turn to the right
[[6.0, 3.0, 0.0], [7.0, 4.0, 1.0], [8.0, 5.0, 2.0]]
>>> warp(one, np.zeros(1), np.ones(1), np.array([[0.0, 1.0]]))[0, 0, :, 0].tolist()               # a pixel to the right
[0.0, 0.0, 1.0]
"""

from __future__ import annotations

import numpy as np

from monitoring.arrays import FloatArray

#: Standard deviations after which the kernel of a blur ends.
_REACH = 4


def warp(images: FloatArray, angles: FloatArray, zooms: FloatArray, offsets: FloatArray) -> FloatArray:
    """Images (n, h, w, c), each turned about its middle by its angle (n,) in radians to the right, enlarged by its zoom (n,) and moved
    by its offset (n, 2) in pixels down and right. Between pixels the value is interpolated (bilinear).
    """
    height, width = images.shape[1:3]
    middle = np.array([(height - 1) / 2, (width - 1) / 2])
    down, across = (grid.ravel() for grid in np.meshgrid(np.arange(height), np.arange(width), indexing="ij"))
    y, x = down - middle[0] - offsets[:, :1], across - middle[1] - offsets[:, 1:]
    cosine, sine = (turn(angles)[:, None] / zooms[:, None] for turn in (np.cos, np.sin))
    rows = np.clip(cosine * y - sine * x + middle[0], 0, height - 1)
    columns = np.clip(sine * y + cosine * x + middle[1], 0, width - 1)
    return _between(images, rows, columns).reshape(images.shape)


def blurred(images: FloatArray, sigma: float) -> FloatArray:
    """Images (n, h, w, c) under a Gaussian kernel of `sigma` pixels."""
    if sigma <= 0:
        return images
    across = np.einsum("xw,nhwc->nhxc", _kernel(images.shape[2], sigma), images)
    both: FloatArray = np.einsum("yh,nhwc->nywc", _kernel(images.shape[1], sigma), across)
    return both


def _between(images: FloatArray, rows: FloatArray, columns: FloatArray) -> FloatArray:
    """Values (n, places, c) of the images at places (n, places) between pixels."""
    n, height, width, _ = images.shape
    top, left = np.floor(rows).astype(np.int64), np.floor(columns).astype(np.int64)
    bottom, right = np.minimum(top + 1, height - 1), np.minimum(left + 1, width - 1)
    down, across = (rows - top)[..., None], (columns - left)[..., None]
    image = np.arange(n)[:, None]
    upper = images[image, top, left] * (1 - across) + images[image, top, right] * across
    lower = images[image, bottom, left] * (1 - across) + images[image, bottom, right] * across
    between: FloatArray = upper * (1 - down) + lower * down
    return between


def _kernel(length: int, sigma: float) -> FloatArray:
    """How much of each pixel of a line goes into each pixel of the blurred one, (length, length)."""
    reach = int(_REACH * sigma + 0.5)
    steps = np.arange(-reach, reach + 1)
    weights = np.exp(-0.5 * (steps / sigma) ** 2)
    kernel = np.zeros((length, length))
    for step, weight in zip(steps, weights / weights.sum(), strict=True):
        np.add.at(kernel, (np.arange(length), np.clip(np.arange(length) + step, 0, length - 1)), weight)
    return kernel
