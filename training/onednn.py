"""A fault of oneDNN, which computes TensorFlow's convolutions, got round.

The gradient of a 1 × 1 kernel with strides writes beyond its memory where the rows of a batch are no multiple of the threads: the process
dies of "free(): invalid pointer" or the like. Seen with TensorFlow 2.21 and AVX-512: 28 × 28 × 8 to 16 channels with strides of 2, 9 rows
and 2 threads, 8 and 3, 10 and 4, each time; 10 and 2, 9 and 3, 8 and 4 never. Shortcuts around strided blocks are such convolutions, as in
every ResNet. Taking each second place first and then a kernel without strides is the same sum, and right.
"""

from __future__ import annotations

import functools
from typing import Any

import keras


@functools.cache  # once is enough
def without_strided_points() -> None:
    """From now on Conv1D and Conv2D leave out the places between the strides before a kernel of one place, and not within it."""
    for kind in (keras.layers.Conv1D, keras.layers.Conv2D):
        kind.convolution_op = _leaving_out(kind.convolution_op)


def _leaving_out(convolution_op: Any) -> Any:
    def mended(self: Any, inputs: Any, kernel: Any) -> Any:
        if max(self.kernel_size) > 1 or max(self.strides) == 1 or self.data_format != "channels_last":
            return convolution_op(self, inputs, kernel)
        places = tuple(slice(None, None, stride) for stride in self.strides)
        return keras.ops.conv(inputs[(slice(None), *places)], kernel, strides=1, padding="valid", data_format=self.data_format)

    return mended
