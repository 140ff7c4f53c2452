"""Where a version comes from: the commit of the checkout and the versions of the packages."""

from __future__ import annotations

import importlib.metadata
import subprocess
from pathlib import Path

_PACKAGES = ("keras", "tensorflow", "onnx", "onnxruntime", "numpy")


def git_commit(folder: Path = Path(__file__).parent) -> str | None:
    """The commit of the checkout that this code runs from; None if it is installed, or git is not."""
    try:
        found = subprocess.run(["git", "rev-parse", "HEAD"], cwd=folder, capture_output=True, text=True, check=False, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return found.stdout.strip() or None if found.returncode == 0 else None


def package_versions() -> dict[str, str]:
    """Of the packages that the answers depend on. TensorFlow comes under several names."""
    return {name: version for name in _PACKAGES if (version := _version(name) or _version(f"{name}-cpu"))}


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None
