"""ADWIN and Page-Hinkley of river, which runs in an environment of its own: one detector on each signal and on each class answered."""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path

import numpy as np

from benchmarks.drift.detectors import SETTLING, SHIFTED_RUNS
from benchmarks.drift.world import Answered, Deployment
from benchmarks.serving.peers import python_of
from benchmarks.serving.processes import ROOT, environment
from monitoring.arrays import FloatArray, IntArray

_PROGRAM = ROOT / "benchmarks" / "peers" / "river_detectors.py"
#: Runs of each deployment that are simulated to find the limit: a row costs microseconds in each detector.
_QUIET_RUNS = 8
_SECONDS = 3600
#: Of ADWIN; the smallest that sees a change says how sure it is.
_DELTAS = tuple(2.0 ** (-power / 2) for power in range(8, 20))
#: Of a tick in which the largest delta saw none.
_UNSURE = -np.log(2 * _DELTAS[0])


class PageHinkley:
    """On standardized values, with the defaults but for the threshold."""

    name = "Page-Hinkley"

    def paths(self, deployment: Deployment, after: Answered, drawn: IntArray, limits: FloatArray | None = None) -> FloatArray:
        limit = np.inf if limits is None else limits[0]
        return _run(deployment, after, drawn[: _runs(limits)], np.array([]), np.array([limit]))


class Adwin:
    """On ranks among the rows before the shift, with the defaults but for delta. The statistic is log 1 / delta."""

    name = "ADWIN"

    def paths(self, deployment: Deployment, after: Answered, drawn: IntArray, limits: FloatArray | None = None) -> FloatArray:
        deltas = np.array(_DELTAS) if limits is None else np.exp(-limits[:1])
        until = np.full(len(deltas), np.inf if limits is None else 1.0)
        seen = _run(deployment, after, drawn[: _runs(limits)], deltas, np.concatenate([[0.0], until]))
        if limits is not None:
            return np.where(seen > 0, np.inf, -np.inf)
        surest: FloatArray = np.where(seen > 0, -np.log(deltas)[:, None, None], _UNSURE).max(axis=0, keepdims=True)
        return surest


def _runs(limits: FloatArray | None) -> int:
    return _QUIET_RUNS if limits is None else SHIFTED_RUNS


def _run(deployment: Deployment, after: Answered, drawn: IntArray, deltas: FloatArray, limits: FloatArray) -> FloatArray:
    """`limits` of Page and Hinkley's statistic (0: not at all) and of ADWIN's for each delta."""
    values = np.concatenate([deployment.world.clean.signals, after.signals])
    with tempfile.TemporaryDirectory(prefix="veleta-river-") as folder:
        given, written = Path(folder) / "in.npz", Path(folder) / "out.npz"
        np.savez(given, values=values, drawn=drawn, settling=SETTLING, deltas=deltas, limits=limits)
        command = [python_of("river"), _PROGRAM, given, written]
        subprocess.run(command, check=True, env=environment(), timeout=_SECONDS)
        with np.load(written) as file:
            found: FloatArray = file["paths"]
    return found
