"""The record: whole whatever happens to its writers, and told from others without a training."""

from __future__ import annotations

import datetime
import json
import math
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from models.errors import VeletaError
from models.store import Store
from tests.training.recorded import PLAN, RECIPE, VERDICT, plan, recorded, result
from tests.training.runs import ROOT
from training.errors import PrunedError, RecipeError, RunError
from training.runs.record import Record

pytestmark = pytest.mark.training
_WRITER = """
import sys, time
from pathlib import Path
from models.manifest import Dataset
from training.runs.record import Record
from training.runs.run import Plan
PLAN = Plan("train", "digits", "founding.toml", {}, {}, Dataset("digits", "ab", {}))
with Record(Path(sys.argv[1])).start(PLAN) as run:
    run.epoch("training", 0, {"loss": 1.0})
    print(run.id, flush=True)
    for epoch in range(1, 10**9):
        run.epoch("training", epoch, {"loss": 1.0})
        run._write()
"""


@pytest.fixture
def record(tmp_path: Path) -> Record:
    return Record.of(tmp_path)


def writer(record: Record, code: str = _WRITER) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", code, str(record.folder)], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def test_a_run_that_is_told_of_later_took_its_time(record: Record) -> None:
    with record.start(PLAN, passed_seconds=90) as run:
        pass
    found = record.read(run.id)
    assert found.seconds >= 90
    assert found.ended is not None
    began, ended = (datetime.datetime.fromisoformat(text) for text in (found.started, found.ended))
    assert (ended - began).total_seconds() >= 90


def test_a_run_is_read_as_it_was_written(record: Record) -> None:
    run = recorded(record)
    assert (run.id, run.state, run.error, run.seed) == (1, "done", None, 0)
    assert run.plan == PLAN
    assert run.result == result(900)
    assert run.verdicts == (VERDICT,)
    (fit,) = run.fits
    assert fit.curves["val_loss"] == (2.1, 1.1, pytest.approx(2 / 3 + 0.1))
    assert (fit.epochs, fit.best, fit.layers) == (3, 2, ["dense", "probabilities"])
    assert run.environment.packages["numpy"]
    assert run.ended is not None
    assert run.ended >= run.started


def test_values_that_are_no_numbers_are_null_in_json(record: Record) -> None:
    with record.start(PLAN) as run:
        run.epoch("training", 0, {"loss": math.nan})
        run.epoch("training", 2, {"loss": 1.0})
    assert record.read(run.id).fits[0].curves["loss"] == (None, None, 1.0)
    assert "NaN" not in (record.folder / "1/run.json").read_text()


@pytest.mark.parametrize(
    ("error", "state", "words"),
    [
        (RecipeError("no such layer"), "failed", "no such layer"),
        (ValueError("shape"), "failed", "ValueError: shape"),
        (PrunedError("it diverges"), "pruned", "it diverges"),
        (KeyboardInterrupt(), "interrupted", "it was told to stop"),
        (SystemExit(143), "interrupted", "it was told to stop"),
    ],
)
def test_how_a_run_ended(record: Record, error: BaseException, state: str, words: str) -> None:
    with pytest.raises(type(error)), record.start(PLAN) as run:
        raise error
    found = record.read(run.id)
    assert (found.state, found.error) == (state, words)


def test_a_running_training_can_be_watched(record: Record) -> None:
    with writer(record) as process:
        number = int(process.stdout.readline())  # type: ignore[union-attr]
        try:
            wait_for(lambda: any(fit.epochs > 10 for fit in record.read(number).fits))
            assert record.read(number).state == "running"
            process.send_signal(signal.SIGKILL)
            process.wait(timeout=30)
            killed = record.read(number)
            assert (killed.state, killed.error) == ("interrupted", "its process was killed")
            assert killed.fits[0].epochs > 10
        finally:
            process.kill()


def test_a_record_is_whole_whenever_its_writers_are_killed(record: Record) -> None:
    """Three writers at once, killed at arbitrary moments: ids are their own, and every file can be read."""
    processes = [writer(record) for _ in range(3)]
    numbers = [int(process.stdout.readline()) for process in processes]  # type: ignore[union-attr]
    for process in processes:
        record.runs()
        process.kill()
        process.communicate(timeout=30)
    found, damaged = record.runs()
    assert sorted(numbers) == [1, 2, 3]
    assert damaged == []
    assert {run.state for run in found} == {"interrupted"}


def test_a_number_that_was_taken_but_never_written_is_no_run(record: Record) -> None:
    (record.folder / "7").mkdir(parents=True)
    assert record.ids() == []
    assert recorded(record).id == 8


def test_damage_is_named_and_hides_nothing_else(record: Record) -> None:
    for _ in range(3):
        recorded(record)
    (record.folder / "2/run.json").write_text('{"format": 1}')
    (record.folder / "3/run.json").write_text("{")
    found, damaged = record.runs()
    assert [run.id for run in found] == [1]
    assert "3/run.json cannot be read" in str(damaged[0])
    assert "2/run.json: run lacks the field 'id'" in str(damaged[1])
    with pytest.raises(RunError, match="there is no run 9"):
        record.read(9)
    (record.folder / "2/run.json").write_text('{"format": 2}')
    with pytest.raises(RunError, match="format is 2, this Veleta reads 1"):
        record.read(2)


def test_a_record_that_cannot_be_written_is_told_at_once(tmp_path: Path) -> None:
    (tmp_path / ".veleta").write_text("in the way")
    with pytest.raises(VeletaError, match="cannot be written"):
        Record.of(tmp_path).start(PLAN)


def test_the_store_does_not_see_the_record(record: Record, tmp_path: Path) -> None:
    recorded(record)
    assert Store(tmp_path).names() == []


def test_names_are_told_apart(record: Record) -> None:
    recorded(record)
    recorded(record, plan(name="iris"))
    assert [run.id for run in record.runs()[0]] == [2, 1]
    assert [run.plan.name for run in record.runs("iris")[0]] == ["iris"]


def test_reading_needs_no_tensorflow(record: Record, tmp_path: Path) -> None:
    recorded(record, plan(recipe=RECIPE | {"learning_rate": 0.2}))
    code = (
        "import sys; from veleta.__main__ import main\n"
        f"assert main(['runs', '--store', {str(tmp_path)!r}, '--json']) == 0\n"
        f"assert main(['runs', '--store', {str(tmp_path)!r}, '--html', {str(tmp_path / 'page.html')!r}]) == 0\n"
        "assert not {'keras', 'tensorflow', 'onnx', 'onnxruntime', 'optuna', 'scipy'} & set(sys.modules), sorted(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False, env=os.environ)
    assert done.returncode == 0, done.stderr
    (run,) = json.loads(done.stdout)["runs"]
    assert run["plan"]["recipe"]["learning_rate"] == 0.2


def wait_for(holds: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)
