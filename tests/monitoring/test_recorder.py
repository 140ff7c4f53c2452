"""Notes become counts: many at once, the rest by a thread, and none twice or lost, whatever they are made of."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from models.store import Store
from monitoring.arrays import FloatArray
from monitoring.counts import recorder as module
from monitoring.counts.layout import server_layout
from monitoring.counts.recorder import Recorder
from monitoring.counts.shared_counts import server_counts, subject_counts
from monitoring.signals.measure import Batch
from monitoring.subject import Subject
from tests.live_server import wait_for

MANY, SOME = 2048, 64


@pytest.fixture
def subject(store: Store) -> Subject:
    return Subject.load(store.open("digits8", 1))


@pytest.fixture
def recorder(tmp_path: Path) -> Iterator[Recorder]:
    made = Recorder(tmp_path / "state", ("/predict", "other"))
    yield made
    made.close()


def rows(subject: Subject, count: int, seed: int) -> Batch:
    rng = np.random.default_rng(seed)
    shares = rng.dirichlet(np.ones(10), count).astype(np.float32)
    images = rng.integers(0, 256, (count, 8, 8, 1)).astype(np.uint8)
    features = subject.reference.fitted.space.whitening.shape[0] if subject.reference.fitted.space else 4
    return Batch(images, shares, rng.normal(size=(count, features)).astype(np.float32))


def counted(subject: Subject, folder: Path) -> dict[str, FloatArray]:
    counts = subject_counts(folder / "state" / "counts", subject.key, subject.layout)
    return counts.layout.split(counts.total())


def predictions(subject: Subject, folder: Path) -> float:
    return float(subject.reference.answers(counted(subject, folder)["signals"]).sum())


@pytest.mark.parametrize(("enough", "loop_seconds"), [(MANY, 3600.0), (SOME, 0.0)], ids=["many", "some, when it is time"])
def test_the_loop_counts_when_there_are_enough(
    recorder: Recorder, subject: Subject, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, enough: int, loop_seconds: float
) -> None:
    monkeypatch.setattr(module, "_FLUSH_SECONDS", 3600.0)  # the thread sleeps
    monkeypatch.setattr(module, "_LOOP_SECONDS", loop_seconds)
    recorder.flush()
    recorder.predicted(subject, rows(subject, enough - 1, 0), 0.001)
    recorder.count_many()
    assert predictions(subject, tmp_path) == 0
    recorder.predicted(subject, rows(subject, 1, 1), 0.001)
    recorder.count_many()
    assert predictions(subject, tmp_path) == enough


def test_the_thread_counts_what_is_left(recorder: Recorder, subject: Subject, tmp_path: Path) -> None:
    recorder.predicted(subject, rows(subject, MANY, 0), 0.001)
    recorder.count_many()
    recorder.predicted(subject, rows(subject, 7, 1), 0.001)
    assert wait_for(lambda: predictions(subject, tmp_path) == MANY + 7, 5)


def test_a_request_that_ends_after_its_rows_are_counted_is_counted_too(recorder: Recorder, subject: Subject, tmp_path: Path) -> None:
    """Nothing else comes that would wake the thread."""
    server = server_counts(tmp_path / "state" / "counts", server_layout(("/predict", "other")))
    found = lambda: server.layout.split(server.total())  # noqa: E731
    recorder.began()
    recorder.predicted(subject, rows(subject, 3, 0), 0.001)
    assert wait_for(lambda: predictions(subject, tmp_path) == 3 and found()["in_flight"] == 1, 5)
    recorder.answered(subject, "/predict", (0.01, 3, 0.001, 0.001, 0.001, 0.001))
    assert wait_for(lambda: found()["in_flight"] == 0 and found()["requests"].sum() == 1, 5)


def test_together_or_one_by_one_is_the_same(subject: Subject, tmp_path: Path) -> None:
    """Also where some rows came as bytes and some as numbers, and two variants were asked in turns."""
    whole, found = rows(subject, 60, 2), []
    for name, sizes in (("at once", (60,)), ("some", (1, 2, 7, 50)), ("each", (1,) * 60)):
        recorder = Recorder(tmp_path / name / "state", ("/predict", "other"))
        other = Subject(subject.manifest, "fp32", subject.reference)
        start = 0
        for number, size in enumerate(sizes):
            part = slice(start, start + size)
            inputs = whole.inputs[part].astype(np.float32) if number % 2 else whole.inputs[part]
            for one in (subject, other):
                recorder.predicted(one, Batch(inputs, whole.outputs[part], whole.embeddings[part]), 0.001)
                recorder.queued(one, [0.001] * size)
            start += size
        recorder.close()
        assert predictions(other, tmp_path / name) == predictions(subject, tmp_path / name) == 60
        found.append(counted(subject, tmp_path / name))
        assert found[-1]["queue"].sum() == 60
    of_calls = {"batch", "batch_sum", "inference", "inference_sum", "loaded"}  # one in the first, many in the others
    for key in found[0].keys() - of_calls:
        assert found[1][key] == pytest.approx(found[0][key])
        assert found[2][key] == pytest.approx(found[0][key])


def test_what_is_not_watched_is_counted_by_its_answer_alone(subject: Subject, tmp_path: Path) -> None:
    recorder = Recorder(tmp_path / "state", ("/predict", "other"), watch_limit=1)
    batches = [rows(subject, 30, seed) for seed in range(20)]
    for batch in batches[:10]:
        recorder.predicted(subject, batch, 0.001)
    time.sleep(0.3)  # after that long it is known how many come
    for batch in batches[10:]:
        recorder.predicted(subject, batch, 0.001)
        recorder.queued(subject, [0.001] * 30)
    recorder.close()
    found = counted(subject, tmp_path)
    answered = np.bincount(np.concatenate([batch.outputs.argmax(axis=1) for batch in batches]), minlength=10)
    total = subject_counts(tmp_path / "state" / "counts", subject.key, subject.layout).total()
    assert subject.answered(total).tolist() == answered.tolist()
    assert subject.watched(total) == 600 - found["unwatched"].sum() <= 360
    assert {part.sum() for part in subject.reference.split(found["signals"]).values()} == {subject.watched(total)}
    assert found["outlier"].sum() == subject.watched(total)
    assert (found["batch"].sum(), found["queue"].sum()) == (20, 300)
