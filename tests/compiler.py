"""What is written in C is only there where a C compiler was."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest


def headers(python: str = sys.executable) -> Path:
    """Where the headers of an interpreter are, if they are installed."""
    return Path(subprocess.check_output([python, "-c", "import sysconfig; print(sysconfig.get_path('include'))"], text=True).strip())


def compiled(python: str = sys.executable) -> pytest.MarkDecorator:
    """For tests of it. In CI it has to be there."""
    able = shutil.which("gcc") and (headers(python) / "Python.h").exists()
    return pytest.mark.skipif(not (able or os.environ.get("CI")), reason="needs gcc and Python's headers")
