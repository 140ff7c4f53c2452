"""Layers that scale and shift, by fixed numbers or by those of the row itself, as ONNX. See `layers` for the table."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.errors import ExportError
from training.onnx.values import Layout, Shape, Value, Writer, as_float32, known

_FEW_CHANNELS = 8


def rescaling(writer: Writer, layer: Any, shape: Shape, value: Value) -> Value:
    """x · scale + offset. A plain factor waits for the next kernel, so that int8 reads the pixels as they come, without a loss."""
    if np.ndim(layer.scale) == 0 and np.all(np.asarray(layer.offset) == 0):
        return dataclasses.replace(value, scale=value.scale * float(layer.scale))
    return _affine(writer, value, np.asarray(layer.scale), np.asarray(layer.offset))


def normalization(writer: Writer, layer: Any, shape: Shape, value: Value) -> Value:
    """(x − mean) / σ, per channel. The mean goes first: x / σ − mean / σ loses the digits of a column far from 0, a year for one."""
    if layer.axis not in ((-1,), (len(shape),), ()):
        raise ExportError(f"{layer.name} normalizes the axis {layer.axis}; only the last one can be exported")
    if layer.invert:
        raise ExportError(f"{layer.name} inverts a normalization, which cannot be exported")
    value = by_channel(writer, value)
    deviation = np.maximum(np.sqrt(as_float32(layer.variance)), np.float32(1e-7))  # as Keras: keras.backend.epsilon()
    centred = writer.node("Sub", value.name, writer.floats("mean", beside(value, as_float32(layer.mean))))
    return dataclasses.replace(value, name=writer.node("Div", centred, writer.floats("deviation", beside(value, deviation))))


def batch_normalization(writer: Writer, layer: Any, shape: Shape, value: Value) -> Value:
    """γ (x − μ) / √(σ² + ε) + β with the moving μ and σ²; ONNX Runtime melts it into the convolution before it."""
    _last_axis(layer, layer.axis, shape)
    factor = 1 / np.sqrt(as_float32(layer.moving_variance) + np.float32(layer.epsilon))
    if layer.scale:
        factor = factor * as_float32(layer.gamma)
    shift = -as_float32(layer.moving_mean) * factor
    return _affine(writer, value, factor, shift + as_float32(layer.beta) if layer.center else shift)


def layer_scale(writer: Writer, layer: Any, shape: Shape, value: Value) -> Value:
    """x · γ by channel, as in ConvNeXt (Touvron et al., "Going deeper with image transformers", 2021, arXiv 2103.17239, section 2)."""
    value = by_channel(writer, value)
    return dataclasses.replace(value, name=writer.node("Mul", value.name, writer.floats("gamma", beside(value, as_float32(layer.gamma)))))


def layer_normalization(writer: Writer, layer: Any, shape: Shape, value: Value) -> Value:
    """γ (x − μ) / √(σ² + ε) + β, μ and σ² of one row over the last axis, or the last few."""
    axes = sorted(axis % (len(shape) + 1) for axis in np.atleast_1d(layer.axis))
    if axes != list(range(axes[0], len(shape) + 1)):
        raise ExportError(f"{layer.name} normalizes the axes {axes}; only the last ones can be exported")
    if layer.rms_scaling:
        raise ExportError(f"{layer.name} has rms_scaling, which cannot be exported; leave it away")
    value = writer.scaled(value)
    value = writer.features_last(value) if len(axes) == 1 else writer.keras(value)
    scale = as_float32(layer.gamma) if layer.scale else np.ones(known(shape[axes[0] - 1 :], layer.name), np.float32)
    weights = [writer.floats("gamma", scale), *([writer.floats("beta", as_float32(layer.beta))] if layer.center else [])]
    name = writer.node("LayerNormalization", value.name, *weights, axis=-len(axes), epsilon=float(layer.epsilon))
    return dataclasses.replace(value, name=name)


def group_normalization(writer: Writer, layer: Any, shape: Shape, value: Value) -> Value:
    """γ (x − μ) / √(σ² + ε) + β, μ and σ² of one row over the places and a group of channels. As many groups as channels, or
    groups=-1, is instance normalization (Wu & He 2018, arXiv 1803.08494, figure 2), for which ONNX has an operator; the other groups
    are made its channels by a reshape.
    """
    _last_axis(layer, layer.axis, shape)
    *places, channels = known(shape, layer.name)
    groups = channels if layer.groups == -1 else int(layer.groups)
    value = writer.scaled(value)
    value = writer.channels_first(value) if places else writer.plain(value)
    gamma = as_float32(layer.gamma) if layer.scale else np.ones(channels, np.float32)
    beta = as_float32(layer.beta) if layer.center else np.zeros(channels, np.float32)
    if places and groups == channels:
        return dataclasses.replace(value, name=_instance(writer, layer, value.name, gamma, beta))
    grouped = writer.reshape(value.name, 0, groups, -1)
    normalized = _instance(writer, layer, grouped, np.ones(groups, np.float32), np.zeros(groups, np.float32))
    return _affine(writer, dataclasses.replace(value, name=writer.reshape(normalized, 0, channels, *places)), gamma, beta)


def _instance(writer: Writer, layer: Any, name: str, gamma: NDArray[Any], beta: NDArray[Any]) -> str:
    weights = writer.floats("gamma", gamma), writer.floats("beta", beta)
    return writer.node("InstanceNormalization", name, *weights, epsilon=float(layer.epsilon))


def unit_normalization(writer: Writer, layer: Any, shape: Shape, value: Value) -> Value:
    """x / ‖x‖ over the last axis."""
    _last_axis(layer, layer.axis, shape)
    value = writer.features_last(writer.scaled(value))
    return dataclasses.replace(value, name=writer.node("LpNormalization", value.name, axis=-1, p=2))


def _affine(writer: Writer, value: Value, factor: NDArray[Any], shift: NDArray[Any]) -> Value:
    """x · factor + shift, one number for each channel or for all."""
    value = by_channel(writer, value)
    product = writer.node("Mul", value.name, writer.floats("factor", beside(value, factor)))
    return dataclasses.replace(value, name=writer.node("Add", product, writer.floats("shift", beside(value, shift))))


def by_channel(writer: Writer, value: Value) -> Value:
    """With an axis of its own for the channels: the first where they are few, since ONNX Runtime computes the last axis at once, and takes
    thirty times as long for one or three numbers each time.
    """
    if value.layout is Layout.KERAS and len(value.shape) in (2, 3) and (value.shape[-1] or 0) < _FEW_CHANNELS:
        value = writer.channels_first(value)
    return writer.plain(value) if value.layout is Layout.FLATTENED else writer.scaled(value)


def beside(value: Value, numbers: NDArray[Any]) -> NDArray[Any]:
    """Numbers by channel, shaped so that they meet the channels of the value."""
    numbers = np.ravel(numbers)
    return numbers.reshape(-1, *[1] * (len(value.shape) - 1)) if value.layout is Layout.CHANNELS_FIRST else numbers


def _last_axis(layer: Any, axis: Any, shape: Shape) -> None:
    if np.ravel(axis).tolist() not in ([-1], [len(shape)]):
        raise ExportError(f"{layer.name} normalizes the axis {axis}; only the last one can be exported")
