"""Devices: the processor, a GPU where there is one, or several at once that each take a part of every batch."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import tensorflow as tf

from training.errors import TrainingError

#: Of a processor. Each takes memory, and a batch has to have rows for all.
_MOST_PARTS = 8


def prepare(devices: int) -> None:
    """Before TensorFlow starts: a GPU takes memory as it needs it, and without one the processor is split into `devices` parts.

    Splitting brings no speed, since one part uses all cores already; it is how a training on several devices is tried without them.
    Raises TrainingError for a number that cannot be.
    """
    gpus = tf.config.list_physical_devices("GPU")
    most = len(gpus) or _MOST_PARTS
    if not 0 <= devices <= most:
        raise TrainingError(f"--devices is {devices}, expected 0 to {most}{'' if gpus else ', the parts of a processor'}")
    for gpu in gpus:
        tf.config.experimental.set_memory_growth(gpu, True)
    if not gpus and devices > 1:
        processor = tf.config.list_physical_devices("CPU")[0]
        tf.config.set_logical_device_configuration(processor, [tf.config.LogicalDeviceConfiguration()] * devices)


@contextlib.contextmanager
def placed(devices: int = 0) -> Iterator[bool]:
    """What is built, compiled and fitted meanwhile is mirrored on so many devices; 0: on all GPUs. Gives whether there are several.

    Each takes an equal part of a batch, and the gradients are summed before every update: `batch_size` stays that of all together.
    Raises TrainingError if there are fewer devices.
    """
    names = _names()
    if devices > len(names):
        raise TrainingError(f"there are {len(names)} devices ({', '.join(names)}), and {devices} are asked for; set --devices {len(names)}")
    chosen = names[: devices or len(names)] if devices or names[0].startswith("GPU") else names[:1]
    if len(chosen) < 2:
        yield False
        return
    with tf.distribute.MirroredStrategy(chosen).scope():
        yield True


@contextlib.contextmanager
def in_full_float32() -> Iterator[None]:
    """What is computed meanwhile is computed with all bits of float32.

    TensorFlow lets a GPU multiply float32 with 10 of its 23 bits (TensorFloat-32), which is fast to train in. But what answers by it
    differs by 3e-4 from the same network anywhere else (seen on an NVIDIA H200).
    """
    before = tf.config.experimental.tensor_float_32_execution_enabled()
    tf.config.experimental.enable_tensor_float_32_execution(False)
    try:
        yield
    finally:
        tf.config.experimental.enable_tensor_float_32_execution(before)


def _names() -> list[str]:
    """The GPUs, or the parts of the processor."""
    for kind in ("GPU", "CPU"):
        if found := tf.config.list_logical_devices(kind):
            return [f"{kind}:{number}" for number in range(len(found))]
    raise TrainingError("TensorFlow finds no device to compute on; install a tensorflow for this machine")
