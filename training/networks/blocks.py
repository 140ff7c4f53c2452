"""Blocks: what a recipe names with one word and is made of several layers.

All of them stock layers of Keras, so that model.json can be read without a line of ours.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
from keras import layers


def rows(x: Any) -> Any:
    """An image (n, height, width, channels) as a sequence of its rows (n, height, width · channels). A sequence stays as it is."""
    return x if len(x.shape) == 3 else layers.Reshape((x.shape[1], x.shape[2] * x.shape[3]))(x)


def positional_embedding(x: Any, units: int = 0) -> Any:
    """Each step (n, steps, width) projected to `units` (0: as wide as it is), plus a learnt vector for its place.

    The bias over steps and width is the embedding of the places: Vaswani et al. 2017 (arXiv 1706.03762, section 3.5) found a learnt
    one to do as well as sines. It starts small and random, as BERT's (Devlin et al. 2018), since equal places cannot be told apart.
    """
    _, steps, width = x.shape
    if steps is None:
        raise ValueError("each place has a vector of its own, so the sequences have to have one known length")
    return layers.EinsumDense(
        "abc,cd->abd", output_shape=(steps, units or width), bias_axes="bd", bias_initializer=keras.initializers.RandomNormal(stddev=0.02)
    )(x)


def transformer_encoder(x: Any, heads: int, key_dim: int, ff_units: int, activation: str = "gelu", dropout: float = 0.0) -> Any:
    """Self-attention and two dense layers, each added to what came in: (n, steps, width) → the same shape.

    Normalized before each part rather than after: then the gradients are well-behaved at the start, and no warm-up is needed
    (Xiong et al., "On layer normalization in the transformer architecture", ICML 2020, arXiv 2002.04745).
    """
    width = x.shape[-1]
    normed = layers.LayerNormalization(epsilon=1e-6)(x)
    attended = layers.MultiHeadAttention(heads, key_dim, dropout=dropout)(normed, normed)
    x = layers.Add()([x, _dropped(attended, dropout)])
    inner = layers.Dense(ff_units, activation=activation)(layers.LayerNormalization(epsilon=1e-6)(x))
    return layers.Add()([x, _dropped(layers.Dense(width)(_dropped(inner, dropout)), dropout)])


def _dropped(x: Any, rate: float) -> Any:
    return layers.Dropout(rate)(x) if rate else x


def added(x: Any, y: Any) -> Any:
    """x + y. Where their shapes differ, x goes through a projection, 1×1 with the strides that y took (He et al. 2016, eq. 2)."""
    if x.shape == y.shape:
        return layers.Add()([x, y])
    if len(x.shape) != len(y.shape) or None in x.shape[1:-1]:
        raise ValueError(f"what goes in has shape {x.shape[1:]} and what comes out {y.shape[1:]}, which cannot be added")
    if len(x.shape) == 4:
        strides = tuple(-(-before // after) for before, after in zip(x.shape[1:3], y.shape[1:3], strict=True))
        projected = layers.Conv2D(y.shape[-1], 1, strides=strides, padding="same", use_bias=False)(x)
    else:
        projected = layers.Dense(y.shape[-1], use_bias=False)(x)
    if projected.shape != y.shape:
        raise ValueError(f'what goes in has shape {x.shape[1:]} and what comes out {y.shape[1:]}; use padding = "same" in it')
    return layers.Add()([projected, y])


#: Blocks that take a tensor and give one. "Residual" is beside them, in `layers`, since it is made of layers of the recipe.
BLOCKS: dict[str, Callable[..., Any]] = {
    "Rows": rows,
    "PositionalEmbedding": positional_embedding,
    "TransformerEncoder": transformer_encoder,
}
