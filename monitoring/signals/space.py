"""The space of the embeddings, in which the distance to a class means something: Mahalanobis', with one covariance for all classes.

    d(e) = ‖z(e) − z_k‖,   z(e) = e / √‖e‖ · A,   A Aᵀ = Σ⁻¹,   z_k the mean of the predicted class k

Σ is the shared covariance of the rows about the means of their classes (K. Lee et al., "A simple unified framework for detecting
out-of-distribution samples", NeurIPS 2018, arXiv 1807.03888, equations 1 and 2), fitted on training rows. The lengths of embeddings are
nothing like normal; M. Müller and M. Hein ("Mahalanobis++", ICML 2025, arXiv 2505.18032, section 4) take the direction alone. Here the
length stays, by its root: rows that are too long or too short are far as well. Area under the ROC curve when the network for one data
set is shown the other, and 64 directions are kept:

                                        e          e / √‖e‖   e / ‖e‖
    digits, shown Fashion-MNIST         0.912      0.972      0.978
    Fashion-MNIST, shown digits         0.991      0.994      0.977

Σ is shrunk towards a sphere as far as Ledoit and Wolf's formula says ("A well-conditioned estimator for large-dimensional covariance
matrices", J. Multivariate Analysis 88 (2004), section 3.3), so that more features than rows, and features that are always 0, do no harm.

>>> rng = np.random.default_rng(0)
>>> rows = rng.normal([[90.0, 0.0]] * 500 + [[0.0, 90.0]] * 500, 9.0)
>>> space = Space.fit(rows, np.repeat([0, 1], 500), 2)
>>> space.distance(space.place(np.array([[90.0, 0.0], [90.0, 30.0], [0.0, 90.0]])), np.array([0, 0, 0])).round(0).tolist()
[0.0, 4.0, 18.0]
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from monitoring.arrays import FloatArray, IntArray, OfArrays

try:
    from monitoring.signals.distance import of_one as _distance_of_one
except ImportError:  # there was no C compiler: the same distances, later

    def _distance_of_one(embedding: FloatArray, whitening: FloatArray, centres: FloatArray, group: int, /) -> float | None:
        return None


#: Directions that are kept, those in which the rows of one class differ most.
DIRECTIONS = 64
#: Training rows that a space is fitted on, at most: more change nothing that is seen.
ROWS = 5000
#: A direction that varies less than this share of the one that varies most is rounding.
_NOISE = 1e-9
#: The square of the length of an embedding in which nothing is awake.
_ASLEEP = 1e-24


@dataclass(frozen=True)
class Space(OfArrays):
    """`whitening` (features, directions) and `centres` (classes, directions): the classes' means, whitened."""

    whitening: FloatArray
    centres: FloatArray

    @classmethod
    def fit(cls, embeddings: FloatArray, labels: IntArray, classes: int, directions: int = DIRECTIONS) -> Space:
        """Of training rows `embeddings` (n, features) with their class numbers `labels` (n,). A class without rows gets the mean of all."""
        rows = np.asarray(embeddings, dtype=np.float64)
        rows = rows / _roots(rows)
        means = np.stack([rows[labels == label if np.any(labels == label) else slice(None)].mean(axis=0) for label in range(classes)])
        whitening = _whitening(rows - means[labels], directions)
        return cls(whitening.astype(np.float32, order="C"), (means @ whitening).astype(np.float32))

    def place(self, embeddings: FloatArray) -> FloatArray:
        """Where each row of `embeddings` (n, features) is in the space, (n, directions)."""
        places: FloatArray = embeddings @ self.whitening
        places /= _roots(embeddings)
        return places

    def distance(self, places: FloatArray, predicted: IntArray) -> FloatArray:
        """Distance of each place (n, directions) to the mean of its predicted class, (n,)."""
        away = places - self.centres.take(predicted, axis=0)
        distances: FloatArray = np.sqrt(np.vecdot(away, away))
        return distances

    def distance_of_one(self, embedding: FloatArray, predicted: int) -> float:
        """Distance of the place of one embedding (1, features) to the mean of its class; NaN if it is too long for its dtype."""
        found = _distance_of_one(embedding, self.whitening, self.centres, predicted)
        if found is None:
            with np.errstate(all="ignore"):
                found = float(self.distance(self.place(embedding), np.array([predicted]))[0])
        return found


def _roots(embeddings: FloatArray) -> FloatArray:
    """The root of the length of each row, (n, 1); NaN if that is too long for its dtype, which would lie near everything otherwise."""
    squares = np.vecdot(embeddings, embeddings)
    squares[np.isinf(squares)] = np.nan
    roots: FloatArray = np.sqrt(np.sqrt(np.maximum(squares, _ASLEEP)))[:, None]
    return roots


def _whitening(residuals: FloatArray, directions: int) -> FloatArray:
    """(features, directions) of the residuals (n, features), by their singular values: no features × features matrix is made."""
    rows, features = residuals.shape
    _, singular, axes = np.linalg.svd(residuals, full_matrices=False)
    variances = singular**2 / rows
    sphere = variances.sum() / features
    shrinkage = _shrinkage(residuals, variances, sphere)
    kept = np.flatnonzero(variances > _NOISE * variances.max(initial=0))[:directions]
    scales: FloatArray = axes[kept].T / np.sqrt((1 - shrinkage) * variances[kept] + shrinkage * sphere)
    return scales


def _shrinkage(residuals: FloatArray, variances: FloatArray, sphere: float) -> float:
    """How far the covariance with these eigenvalues goes towards the sphere, 0 to 1."""
    rows, features = residuals.shape
    square = (variances**2).sum()
    spread = square - features * sphere**2
    noise = ((residuals**2).sum(axis=1) ** 2).sum() / rows**2 - square / rows
    return float(min(noise, spread) / spread) if spread > 0 else 1.0
