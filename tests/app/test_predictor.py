"""The predictor alone: many rows in several calls, with ONNX Runtime itself as the oracle."""

from __future__ import annotations

import contextlib
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import onnxruntime
import pytest

from app.predictor import MOST_ROWS, Pace, Predictor
from models.store import Store
from tests.small_models import Data


class Counted(contextlib.nullcontext[None]):
    """How often it was entered."""

    calls = 0

    def __enter__(self) -> None:
        self.calls += 1


@pytest.mark.parametrize("call_rows", [8, 16, 64])
def test_rows_are_answered_in_calls_of_about_as_many_as_are_fastest(store: Store, digits8: Data, call_rows: int) -> None:
    published = store.open("digits8")
    path = published.path("fp32")
    running = Counted()
    predictor = Predictor(path, published.manifest.input, 1, running)
    predictor.pace = Pace(call_rows, MOST_ROWS)
    session = onnxruntime.InferenceSession(path)
    for rows in (1, call_rows - 1, call_rows, 2 * call_rows - 1, 2 * call_rows, 129, 200):
        running.calls = 0
        images = digits8.test_x[:rows].astype(np.float32)
        answer = predictor.predict(images)

        outputs, embedding = session.run(["probabilities", "embedding"], {published.manifest.input.name: images})
        assert np.allclose(answer.outputs, outputs, atol=1e-6)
        assert np.allclose(answer.embedding, embedding, atol=1e-4)
        assert rows / 64 <= running.calls <= max(1, rows / call_rows, np.ceil(rows / 64))


def test_its_pace_is_found_while_it_is_warmed_up(store: Store) -> None:
    published = store.open("digits8")
    predictor = Predictor(published.path("fp32"), published.manifest.input, 1, contextlib.nullcontext())

    assert 0 < predictor.warm_up() < 1
    assert predictor.pace.call_rows in (8, 16, 32, 64)
    assert predictor.pace.call_rows <= predictor.pace.batch_rows <= MOST_ROWS


def test_single_rows_are_answered_to_many_threads_at_once(store: Store, digits8: Data) -> None:
    published = store.open("digits8")
    path, taken = published.path("fp32"), published.manifest.input
    predictor, session = Predictor(path, taken, 1, contextlib.nullcontext()), onnxruntime.InferenceSession(path)
    rows = digits8.test_x[:40, None]  # bytes, as they come from the door
    expected = [session.run(["probabilities", "embedding"], {taken.name: row.astype(np.float32)}) for row in rows]

    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(predictor.predict, [*rows] * 25))

    for number, answer in enumerate(answers):
        outputs, embedding = expected[number % len(rows)]
        assert np.allclose(answer.outputs, outputs, atol=1e-6)
        assert np.allclose(answer.embedding, embedding, atol=1e-4)
    assert 1 <= len(predictor._singles) <= 8
