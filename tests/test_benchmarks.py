"""The short form of the serving benchmark runs through and fails no request. It never judges a time: other things run here as well."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.serving import turning
from benchmarks.serving.load import NoWrk, find_wrk
from models.store import Store
from monitoring.counts.examples import Examples
from monitoring.counts.receipt import Seal, mark_of
from monitoring.counts.shared_counts import subject_counts
from monitoring.signals.measure import Batch
from monitoring.subject import Subject
from tests.live_server import ROOT, clean_environment

CELLS = {"json_1", "binary_1", "json_32", "binary_32"}


@pytest.fixture(scope="module")
def short_run(shelf: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, dict[str, Any]]:
    """What the short form printed, and the same as data."""
    try:
        find_wrk()
    except NoWrk as error:
        if "CI" in os.environ:
            raise
        pytest.skip(str(error))
    folder = tmp_path_factory.mktemp("benchmark")
    store, file = shutil.copytree(shelf, folder / "store", ignore=shutil.ignore_patterns(".veleta")), folder / "figures.json"
    words = ["--short", "--store", str(store), "--model", "digits8", "--json", str(file)]
    command = [sys.executable, "-m", "benchmarks.serving", *words]
    done = subprocess.run(command, cwd=ROOT, env=clean_environment(), capture_output=True, text=True, timeout=200, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout, json.loads(file.read_text(encoding="utf-8"))


def test_every_cell_is_measured_and_no_request_fails(short_run: tuple[str, dict[str, Any]]) -> None:
    figures = short_run[1]
    assert figures["absent"] == {}
    for served in (figures["veleta"], figures["peers"]["asgi"], figures["peers"]["flask"]):
        assert set(served["cells"]) == CELLS
        for load in (*served["cells"].values(), *served["alone"].values()):
            assert load["requests"] > 0
            assert load["failed"] == 0


def test_the_anchors_give_a_limit(short_run: tuple[str, dict[str, Any]]) -> None:
    anchors = short_run[1]["anchors"]
    raw, bare = max(anchors["raw"].values()), anchors["bare"]["per_second"]
    assert anchors["limit"]["json_1"] == pytest.approx(1 / (1 / raw + 1 / bare))
    assert anchors["limit"]["binary_32"] == pytest.approx(32 / (32 / raw + 1 / bare))


def test_the_manners_are_measured(short_run: tuple[str, dict[str, Any]]) -> None:
    manners = short_run[1]["manners"]
    assert manners["crowd"]["failed"] == manners["soak"]["failed"] == 0
    for seen in manners["seen"].values():
        assert seen["failed"] == 0
        assert seen["p50_ms"] <= seen["p99_ms"]
        assert seen["per_second"] * seen["p50_ms"] / 1e3 <= 2  # half of its requests take at least that, one after the other
    assert manners["overload"]["statuses"].get("200", 0) > 0
    assert set(manners["overload"]["statuses"]) <= {"200", "429", "504"}
    assert 0 < manners["worker_pss_mib"] <= manners["worker_rss_mib"]
    assert manners["soak_memory"]["early_mib"] > 0
    assert manners["watching"]["core_us"] > 0
    assert manners["watching"]["share"]["low"] <= manners["watching"]["share"]["value"] <= manners["watching"]["share"]["high"]


def test_a_process_watches_and_forgets_in_turns_and_writes_down_what_each_took(store: Store, tmp_path: Path) -> None:
    subject = Subject.load(store.open("digits8", 1))
    images, shares = np.zeros((4, 8, 8, 1), np.uint8), np.full((4, 10), 0.1, np.float32)
    space = subject.reference.fitted.space
    assert space
    batch = Batch(images, shares, np.ones((4, len(space.whitening)), np.float32))
    examples = Examples(tmp_path)
    recorder, sent, until = turning.Turning(tmp_path, ("/predict", "other"), 0, 0.0, examples), 0, time.monotonic() + 60
    ids = Seal(b"some secret").close(subject.fingerprint, 1.0, [1] * 4, [0.5] * 4)
    file = tmp_path / "turns" / str(os.getpid())
    while time.monotonic() < until and not (file.exists() and len(file.read_text(encoding="ascii").splitlines()) > 1):
        recorder.began()
        recorder.queued(subject, [0.001] * 4)
        recorder.predicted(subject, batch, 0.001, [(0, ids)])
        recorder.answered(subject, "/predict", (0.001, 4, 0.0, 0.0, 0.0, 0.0))
        recorder.count_many()
        sent += 4
    recorder.close()

    (pairs,) = turning.pairs(tmp_path)
    assert len(pairs) == 2
    assert all(watched > 0 and unwatched > 0 for watched, unwatched in pairs)
    assert not file.exists(), "the next ones are written anew"
    counts = subject_counts(tmp_path / "counts", subject.key, subject.layout)
    assert 0.1 * sent < subject.answered(counts.total()).sum() < 0.9 * sent
    examples.label([(mark_of(one), 1.0) for one in ids])
    assert examples.count("digits8") == 4


def test_the_table_names_every_server_and_every_goal(short_run: tuple[str, dict[str, Any]]) -> None:
    text, figures = short_run
    for title in ("raw ONNX Runtime", "bare ASGI server", "limit", "Veleta", "by the limit", "Flask"):
        assert any(line.strip().startswith(title) for line in text.splitlines())
    marks = {True: "reached", False: "NOT REACHED", None: "not measured"}
    for goal in figures["goals"]:
        assert any(line.startswith(marks[goal["reached"]]) and goal["title"] in line for line in text.splitlines())
    assert {goal["title"] for goal in figures["goals"] if goal["reached"] is None} >= {"one image, JSON: by PyTriton"}


def test_estimates_without_labels_are_held_against_the_truth(shelf: Path, tmp_path: Path) -> None:
    file = tmp_path / "figures.json"
    words = ["--short", "--store", str(shelf), "--models", "digits8", "--json", str(file)]
    command = [sys.executable, "-m", "benchmarks.estimates", *words]
    done = subprocess.run(command, cwd=ROOT, env=clean_environment(), capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    lines = json.loads(file.read_text(encoding="utf-8"))
    assert {(line["model"], line["shift"]) for line in lines} >= {("digits8 fp32", "noise"), ("digits8 int8", "label_shift")}
    for line in lines:
        assert line["shift"] in done.stdout
        assert set(line["errors"]) == {"naive", "confidence", "threshold", "label_shift", "shown"}
        assert all(0 <= error <= 1 for error in line["errors"].values() if error is not None)
    unshifted = [line for line in lines if line["shift"] == "none"]
    assert [line["inside"] for line in unshifted] == [1.0, 1.0]
