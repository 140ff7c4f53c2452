"""What Triton's `perf_analyzer` is linked with and neither pip nor a plain Debian brings: put beside it, without being root."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest


def libraries(program: Path) -> dict[str, str]:
    """The environment that `program` runs in."""
    home = program.parents[1]
    found = [_b64(home).parent, *(path.parent for path in home.glob("lib/python*/site-packages/nvidia/cuda_runtime/lib/libcudart.so.12"))]
    return os.environ | {"LD_LIBRARY_PATH": ":".join(map(str, found))}


def _b64(home: Path) -> Path:
    """Debian's libb64, unpacked into the environment of the program."""
    debian = home / "debian"
    if not (found := list(debian.rglob("libb64.so.0d"))):
        debian.mkdir(exist_ok=True)
        if not shutil.which("apt-get") or not shutil.which("dpkg-deb"):
            _do_without("apt-get and dpkg-deb are not here")
        got = subprocess.run(["apt-get", "download", "-q", "libb64-0d"], cwd=debian, capture_output=True, text=True, check=False)
        if got.returncode:
            _do_without(got.stderr)
        (package,) = debian.glob("libb64-0d_*.deb")
        subprocess.run(["dpkg-deb", "-x", package, debian], check=True)
        found = list(debian.rglob("libb64.so.0d"))
    return found[0]


def _do_without(reason: str) -> None:
    message = f"perf_analyzer needs Debian's libb64-0d, which cannot be had: {reason}"
    if os.environ.get("CI"):
        pytest.fail(message)
    pytest.skip(message)
