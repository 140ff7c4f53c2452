"""The benchmark of the diagnosis runs through on a few trainings, and its tables say what was put in and what was named."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks.diagnosis import __main__ as benchmark
from benchmarks.diagnosis import run
from benchmarks.diagnosis.cases import HEALTHY, Case, cases
from benchmarks.diagnosis.faults import FAULTS
from training.diagnosis.kinds import KINDS

pytestmark = pytest.mark.training
PUT_IN = ("unscaled-input", "symmetric-weights", "learning-rate-too-low")


def test_faults_are_kinds_and_there_are_as_many_healthy_trainings() -> None:
    assert {fault.kind for fault in FAULTS} <= set(KINDS)
    assert len(FAULTS) >= 20
    for group in ("calibration", "report"):
        chosen = list(cases(group, 2))
        healthy = [case for case in chosen if case.kind == HEALTHY]
        assert len(chosen) == len(set(chosen))
        assert len(healthy) >= len(chosen) / 2
    assert not {(case.data, case.seed) for case in cases("calibration", 9)} & {(case.data, case.seed) for case in cases("report", 9)}


def test_a_fault_is_the_same_every_time_and_leaves_its_twin_alone() -> None:
    case = Case("noisy-labels", "dense", "digits", 5)
    one, two, twin = case.training(), case.training(), case.twin.training()
    np.testing.assert_array_equal(one.split.train.y, two.split.train.y)
    assert 0.25 < (one.split.train.y != twin.split.train.y).mean() < 0.45
    np.testing.assert_array_equal(one.split.test.y, twin.split.test.y)


def test_trainings_are_judged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(run, "CACHE", tmp_path)
    chosen = [Case(kind, "dense", "digits", 5) for kind in (HEALTHY, *PUT_IN)]
    found = benchmark.confusion(chosen)
    text = capsys.readouterr().out
    assert len(list(tmp_path.glob("*.pickle"))) == 5  # the healthy one longer, too
    assert found["Veleta"]["recall"] == 1
    assert found["Veleta"]["healthy_called_ill"] == 0
    assert {"Veleta", "SageMaker Debugger's rules", "AutoTrainer's rules"} < set(found)
    for kind in PUT_IN:
        assert found["Veleta"]["kinds"][kind]["there"] == 1
        assert kind in text
