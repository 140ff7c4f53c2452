"""Rows in batches, in another order each epoch.

Keras begins the shuffle of arrays anew with each epoch: once a seed is set, all epochs have the same batches in the same order (seen with
Keras 3.15.1 and TensorFlow 2.21.0). It also makes four iterators an epoch, of some 15 ms each. Here one iterator goes on from epoch to
epoch, and the order of an epoch follows from the seed and its number.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import tensorflow as tf
from numpy.typing import NDArray

Arrays = Sequence[NDArray[Any]]


def shuffled(arrays: Arrays, batch_size: int, seed: int) -> Any:
    """Batches of the rows of arrays (n, …) that belong together, epoch after epoch without an end; the last of an epoch may be smaller."""
    rows = len(arrays[0])
    whole = rows // batch_size * batch_size

    def order(epoch: Any) -> Any:
        return tf.random.experimental.stateless_shuffle(tf.range(rows), seed=tf.stack([tf.cast(seed, tf.int64), epoch]))

    def batches(drawn: Any) -> Any:
        full = tf.data.Dataset.from_tensor_slices(tf.reshape(drawn[:whole], (-1, batch_size)))
        return full.concatenate(tf.data.Dataset.from_tensors(drawn[whole:])) if whole < rows else full

    return _taken(arrays, tf.data.Dataset.counter().map(order).prefetch(1).flat_map(batches))


def in_order(arrays: Arrays, batch_size: int) -> Any:
    """The same in the order in which they are."""
    rows = len(arrays[0])
    starts = tf.data.Dataset.range(0, rows, batch_size).repeat()
    return _taken(arrays, starts.map(lambda start: tf.range(start, tf.minimum(start + batch_size, rows))))


def _taken(arrays: Arrays, places: Any) -> Any:
    with tf.device("CPU"):  # on a GPU, where the batches are put together, they would go there and back
        tensors = tuple(tf.convert_to_tensor(array, tf.float32 if array.dtype.kind == "f" else None) for array in arrays)
    options = tf.data.Options()
    options.autotune.enabled = False  # these few steps leave nothing to tune
    options.experimental_distribute.auto_shard_policy = tf.data.experimental.AutoShardPolicy.DATA
    taken = places.map(lambda drawn: tuple(tf.gather(tensor, drawn) for tensor in tensors), num_parallel_calls=2)
    return taken.prefetch(2).with_options(options)
