"""Binary kernels: each weight is +α or -α, with one α for each output channel, so that a file holds a bit for it instead of 32.

    kernel = α · sign(w),   α = the mean of |w| over all that goes into the channel

which of all such kernels lies nearest to w (Rastegari et al., "XNOR-Net", ECCV 2016, arXiv 1603.05279, equation 6). What learns is w:
it stays float while the network is fitted, and the gradient of the kernel is taken for that of w, since the sign has none
(Courbariaux et al., "BinaryConnect", NIPS 2015, arXiv 1511.00363, algorithm 1). The first and the last layer stay float (XNOR-Net,
section 4.1): they hold few of the weights, and what they round off nothing can make good.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from training.networks.base import PREFIX
from training.networks.rebuilt import copied, own_weights, rebuilt
from training.onnx.graph import Graph


class _Binary:
    """Beside a Keras layer with a kernel: computes with the binary form of it."""

    @property
    def kernel(self) -> Any:
        latent = keras.ops.convert_to_tensor(super().kernel)  # type: ignore[misc]
        return keras.ops.stop_gradient(binary(latent)) + (latent - keras.ops.stop_gradient(latent))  # the last is 0, with a gradient


#: The layers that can have binary kernels. They are called as the plain ones, since whatever looks at networks goes by names.
_PLAIN = {name: getattr(keras.layers, name) for name in ("Conv1D", "Conv2D", "Dense")}
_BINARY = {name: type(name, (_Binary, plain), {}) for name, plain in _PLAIN.items()}


def binary(kernel: Any) -> Any:
    """The nearest kernel of one bit a weight; the output channels are the last axis. A weight of 0 counts as positive. The mean is taken in
    float32 whatever the network computes in, since half the bits would not do for the sum of thousands.
    """
    whole = keras.ops.cast(kernel, "float32")
    size = keras.ops.mean(keras.ops.abs(whole), axis=tuple(range(len(whole.shape) - 1)), keepdims=True)
    return keras.ops.cast(keras.ops.where(whole >= 0, size, -size), kernel.dtype)


def binarized(network: Any) -> Any:
    """The network with binary kernels in all Conv1D, Conv2D and Dense but the first and the last, and those of a base. Raises ValueError
    if there are none.
    """
    names = list(dict.fromkeys(call.name for call in Graph.of(network).calls if call.kind in _BINARY))
    chosen = {name for name in names[1:-1] if not name.startswith(PREFIX)}
    if not chosen:
        others = ", but for those of the base, which stay as they were learnt" if any(name.startswith(PREFIX) for name in names) else ""
        raise ValueError(f"no Conv1D, Conv2D or Dense stands between the first and the last of them{others}")
    return rebuilt(network, lambda name, layer: copied(name, layer, _BINARY if name in chosen else {}))


def settled(network: Any) -> Any:
    """The network in plain Keras layers, with the kernels that its binary ones compute with. One without any is returned as it is."""
    if not any(isinstance(layer, _Binary) for layer in network.layers):
        return network
    return rebuilt(network, lambda name, layer: copied(name, layer, _PLAIN), _computed_with)


def _computed_with(name: str, layer: Any) -> list[NDArray[Any]]:
    kernel = [np.asarray(layer.kernel)] if isinstance(layer, _Binary) else []
    return [*kernel, *own_weights(name, layer)[len(kernel) :]]
