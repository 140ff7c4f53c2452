"""What training and searching need beyond serving, told before anything is read or loaded."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence

from training.errors import TrainingError

_TRAINING = ("keras", "tensorflow", "onnx", "h5py", "mlxtend", "tqdm", "pandas", "fastparquet", "scipy")


def need_the_extra() -> None:
    """Raise TrainingError that names the first package of the train extra which is not installed."""
    _need(_TRAINING, "training needs; install the train extra: pip install 'veleta[train]'")


def need_the_search_extra() -> None:
    """The same, for what a search needs beside that."""
    _need(("optuna", *_TRAINING), "a search needs; install it: pip install 'veleta[train,search]'")


def _need(packages: Sequence[str], what: str) -> None:
    for package in packages:
        if importlib.util.find_spec(package) is None:
            raise TrainingError(f"{package} is not installed, which {what}")
