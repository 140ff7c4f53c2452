"""What is written in C is only there where a C compiler was."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[1]


def headers(python: str = sys.executable) -> Path:
    """Where the headers of an interpreter are, if they are installed."""
    return Path(subprocess.check_output([python, "-c", "import sysconfig; print(sysconfig.get_path('include'))"], text=True).strip())


def compiled(python: str = sys.executable) -> pytest.MarkDecorator:
    """For tests of it. In CI it has to be there."""
    able = shutil.which("gcc") and (headers(python) / "Python.h").exists()
    return pytest.mark.skipif(not (able or os.environ.get("CI")), reason="needs gcc and Python's headers")


def sanitized(source: str, module: str, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a module of the tests with what is written in C as its first argument, compiled so that whatever it does beyond its memory is
    told.
    """
    library = folder / f"{Path(source).stem}.so"
    checks = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-Wall", "-Wextra", "-Werror"]
    subprocess.run(["gcc", "-shared", "-fPIC", "-g", "-O1", *checks, f"-I{headers()}", source, "-o", library, "-lm"], cwd=ROOT, check=True)
    runtime = subprocess.check_output(["gcc", "-print-file-name=libasan.so"], text=True).strip()
    environment = os.environ | {"LD_PRELOAD": runtime, "ASAN_OPTIONS": "detect_leaks=0", "PYTHONMALLOC": "malloc"}
    command = [sys.executable, "-m", module, library, *arguments]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)


def loaded(library: str) -> ModuleType:
    """The module that is in a library, which is named after it."""
    found = importlib.util.spec_from_file_location(Path(library).stem, library)
    assert found
    assert found.loader
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module
