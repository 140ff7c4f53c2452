"""Faults of a client: the few ways in which right values are commonly sent in a wrong form. Of these it is known what they look like.

>>> image = np.array([[[[0.0], [255.0]], [[51.0], [0.0]]]])
>>> {name: rows.ravel().tolist() for name, rows in image_faults(image, 0, 255).items() if name in ("scaled", "transposed")}
{'scaled': [0.0, 1.0, 0.20000000298023224, 0.0], 'transposed': [0.0, 51.0, 255.0, 0.0]}
"""

from __future__ import annotations

import numpy as np

from monitoring.arrays import FloatArray

#: What each is, as the end of "as if …".
WORDS = {
    "scaled": "the values had been divided by their range before they were sent (0 to 1 instead of 0 to 255)",
    "inverted": "black and white were exchanged",
    "transposed": "rows and columns of the image were exchanged",
    "upside_down": "the image stood upside down",
    "mirrored": "the image was mirrored",
}


def image_faults(images: FloatArray, lowest: float, highest: float) -> dict[str, FloatArray]:
    """Images (n, height, width, channels), values from `lowest` to `highest`, as each fault would send them."""
    rows = np.asarray(images, dtype=np.float32)
    scaled = {"scaled": (rows - np.float32(lowest)) / np.float32(highest - lowest)} if highest - lowest > 2 else {}
    turned = {"transposed": rows.swapaxes(1, 2)} if rows.shape[1] == rows.shape[2] else {}
    inverted = np.float32(lowest + highest) - rows
    return {**scaled, "inverted": inverted, **turned, "upside_down": rows[:, ::-1], "mirrored": rows[:, :, ::-1]}
