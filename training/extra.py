"""What training needs beyond serving, told before anything is read or loaded."""

from __future__ import annotations

import importlib.util

from training.errors import TrainingError

_NEEDED = ("keras", "tensorflow", "onnx", "h5py", "mlxtend", "tqdm", "pandas", "fastparquet", "scipy")


def need_the_extra() -> None:
    """Raise TrainingError that names the first package of the train extra which is not installed."""
    missing = [package for package in _NEEDED if importlib.util.find_spec(package) is None]
    if missing:
        raise TrainingError(f"{missing[0]} is not installed, which training needs; install the train extra: pip install 'veleta[train]'")
