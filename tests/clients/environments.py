"""Environments of programs that others wrote, each by itself: their needs contradict each other's and ours.

An environment is made once, from the pinned list beside this file, in `.venv-clients/NAME` of the checkout; and anew when the list changes.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.live_server import ROOT

FOLDER = ROOT / ".venv-clients"
#: Programs whose newest release does not install from this Python on.
_BELOW = {"mlserver": (3, 13)}
_UNREACHABLE = ("Failed to establish a new connection", "Name or service not known", "Temporary failure in name resolution", "timed out")


def python_of(name: str) -> Path:
    """The interpreter of the environment of that name, made if it is not there. Raises AssertionError with the installer's words.

    A registry that cannot be reached skips the test, but not in CI.
    """
    if sys.version_info[:2] >= _BELOW.get(name, (4, 0)):
        pytest.skip(f"{name} has no release for Python {sys.version_info.major}.{sys.version_info.minor}")
    return _home(name, _make) / "bin" / "python"


def package_of(name: str) -> Path:
    """A folder with what the list of that name says and nothing that it needs, for the path of an interpreter that has that already."""
    return _home(name, _put)


def _home(name: str, make: Callable[[Path, Path], None]) -> Path:
    """Where it is, made anew if its list has changed."""
    listed = Path(__file__).with_name(f"{name}.txt")
    wanted = listed.read_text(encoding="utf-8")
    home = FOLDER / name
    made = home / ".made-from.txt"
    FOLDER.mkdir(exist_ok=True)
    with (FOLDER / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # several test runs may want it at once
        if not made.exists() or made.read_text(encoding="utf-8") != wanted:
            shutil.rmtree(home, ignore_errors=True)
            make(home, listed)
            made.write_text(wanted, encoding="utf-8")
    return home


def _make(home: Path, wanted: Path) -> None:
    # Debian's python3 may lack ensurepip; what is here installs into the other environment.
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", home], check=True)
    _install(home / "bin" / "python", wanted)


def _put(home: Path, wanted: Path) -> None:
    _install(Path(sys.executable), wanted, "--no-deps", "--target", str(home))


def _install(python: Path, wanted: Path, *options: str) -> None:
    for installer in _installers(python):
        done = subprocess.run([*installer, *options, "--requirement", wanted], stderr=subprocess.PIPE, text=True, check=False)
        if done.returncode == 0:
            return
    if not os.environ.get("CI") and any(sign in done.stderr for sign in _UNREACHABLE):
        pytest.skip(f"pip cannot reach a registry to install {wanted.name}")
    raise AssertionError(done.stderr)


def _installers(python: Path) -> Iterator[list[str | Path]]:
    """uv, which needs a tenth of the time, as it leaves compiling to the import; then pip, which has settings that uv does not read."""
    uv = Path(sys.executable).with_name("uv")
    if uv.exists():
        yield [uv, "pip", "install", "--quiet", "--python", python]
    yield [sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--disable-pip-version-check"]
