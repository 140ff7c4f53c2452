"""The distance of a single embedding in the space of `monitoring.signals.space`; written in C, and there only where a C compiler was."""

from monitoring.arrays import FloatArray

def of_one(embedding: FloatArray, whitening: FloatArray, centres: FloatArray, group: int, /) -> float | None:
    """Of the place of an `embedding` (features,) or (1, features), by `whitening` (features, directions), to one of the `centres`
    (groups, directions); NaN if the embedding is too long for its dtype. None if there are more than 64 directions, or if these are not
    float32, in order, and of such shapes.
    """
