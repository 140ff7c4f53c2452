"""Real data in two groups that share nothing: thresholds were chosen on the first, what is reported comes from the second.

Images are small, so that a run takes seconds: MNIST and Fashion-MNIST halved to 14×14, the 8×8 digits of scikit-learn as they are.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.manifest import Input
from training.data.parts import Part, Problem, Split
from training.data.sources import load
from training.data.split import stratified

#: Rows of each part at most.
_TRAIN, _VALIDATION, _TEST = 768, 300, 500


@dataclass(frozen=True)
class World:
    """Rows to be parted, and what is asked of them."""

    problem: Problem
    rows: Part

    def split(self, seed: int) -> Split:
        """Training, validation and test rows: a stratified draw, or three fifths, a fifth and a fifth where there are fewer."""
        total = len(self.rows)
        sizes = [min(most, round(total * share)) for most, share in ((_TEST, 0.2), (_VALIDATION, 0.2), (_TRAIN, 0.6))]
        rest, parts = self.rows, []
        for size in sizes:
            rest, part = _draw(rest, size, seed, bool(self.problem.classes))
            parts.append(part)
        test, validation, train = parts
        whole_batches = len(train) // 64 * 64  # TensorFlow traces its function again for a batch that is smaller
        return Split(train.take(np.arange(whole_batches)), validation, test)


def _draw(whole: Part, rows: int, seed: int, by_class: bool) -> tuple[Part, Part]:
    rows = min(rows, len(whole))
    rest, drawn = stratified(whole.y if by_class else np.zeros(len(whole), np.int64), rows, seed)
    return whole.take(rest), whole.take(drawn)


@cache
def world(name: str) -> World:
    """The data set of that name."""
    return _WORLDS[name]()


def _digits() -> World:
    whole = load("digits").rest
    return _images(_halved(whole.x), whole.y, 255.0)


def _fashion() -> World:
    whole = load("fashion-mnist").rest.draw(4000, seed=0)
    return _images(_halved(whole.x), whole.y, 255.0)


def _optical() -> World:
    from sklearn.datasets import load_digits

    bunch = load_digits()
    return _images(bunch.images[..., None] * 15.9375, bunch.target, 255.0)  # 16 levels of grey


def _cancer() -> World:
    from sklearn.datasets import load_breast_cancer

    bunch = load_breast_cancer()
    return _table(bunch.data, bunch.target.astype(np.int64), tuple(map(str, bunch.target_names)))


def _wine() -> World:
    from sklearn.datasets import load_wine

    bunch = load_wine()
    return _table(bunch.data, bunch.target.astype(np.int64), tuple(map(str, bunch.target_names)))


def _mpg() -> World:
    """Thrifty, middling or thirsty: cars by thirds of their miles per gallon."""
    from mlxtend.data import autompg_data

    x, y = autompg_data()
    numbers = x[:, np.isfinite(x).all(axis=0)]  # the last column has no number in any row: it stands for the name of the car
    thirds = np.searchsorted(np.quantile(y, [1 / 3, 2 / 3]), y)
    return _table(numbers, thirds.astype(np.int64), ("thirsty", "middling", "thrifty"))


def _pixels() -> World:
    """The 8×8 digits as a table of 64 columns."""
    optical = _optical()
    return _table(optical.rows.x.reshape(len(optical.rows), -1), optical.rows.y, optical.problem.classes)


def _area() -> World:
    """How large a nucleus looks at its worst, from all that is not a size of it."""
    from sklearn.datasets import load_breast_cancer

    bunch = load_breast_cancer()
    names = [str(name) for name in bunch.feature_names]
    kept = [i for i, name in enumerate(names) if not any(word in name for word in ("worst", "perimeter", "area"))]
    return _table(bunch.data[:, kept], bunch.data[:, names.index("worst area")], ())


def _diabetes() -> World:
    from sklearn.datasets import load_diabetes

    bunch = load_diabetes(scaled=False)
    return _table(bunch.data, bunch.target, ())


_WORLDS: dict[str, Callable[[], World]] = {
    "digits": _digits,
    "cancer": _cancer,
    "area": _area,
    "fashion": _fashion,
    "optical": _optical,
    "wine": _wine,
    "mpg": _mpg,
    "pixels": _pixels,
    "diabetes": _diabetes,
}


def _halved(x: NDArray[Any]) -> NDArray[Any]:
    """(n, 28, 28, 1) → (n, 14, 14, 1), the mean of four pixels."""
    halved: NDArray[Any] = x.reshape(len(x), 14, 2, 14, 2, 1).mean(axis=(2, 4))
    return halved


def _images(x: NDArray[Any], y: NDArray[Any], highest: float) -> World:
    classes = tuple(str(label) for label in range(int(y.max()) + 1))
    taken = Input("image", "float32", (None, *x.shape[1:]), "image", (0.0, highest))
    return World(Problem(taken, "classification", classes), Part(x.astype(np.float32), y.astype(np.int64)))


def _table(x: NDArray[Any], y: NDArray[Any], classes: tuple[str, ...]) -> World:
    taken = Input("features", "float32", (None, x.shape[1]), "tabular", (float(x.min()), float(x.max())))
    task: Any = "classification" if classes else "regression"
    return World(Problem(taken, task, classes), Part(x.astype(np.float32), y if classes else y.astype(np.float32)))
