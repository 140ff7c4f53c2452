"""The queue of a worker alone, with a real model: whatever goes wrong with one answer, the others get theirs, and the queue goes on."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial

import numpy as np
import pytest
from flask import Flask

from app.batching import Batcher
from app.errors import TooLate
from app.predictor import Answer
from app.served import Loaded
from monitoring.counts.recorder import Recorder
from tests.small_models import Data

Found = Answer | Exception
Settle = Callable[[Found], Callable[[], None]]


@pytest.fixture
def loaded(flask_app: Flask) -> Loaded:
    found: Loaded = flask_app.extensions["veleta"].served.get("digits8")
    return found


@pytest.fixture
def recorder(flask_app: Flask) -> Recorder:
    found: Recorder = flask_app.extensions["veleta"].recorder
    return found


async def answered(batcher: Batcher, loaded: Loaded, data: Data, settles: list[Settle], timeout: float = 10) -> None:
    """Ask about a row for each, together, and then about another, which shows that the queue goes on."""
    for number, settle in enumerate(settles):
        batcher.submit(loaded, data.test_x[number : number + 1], timeout, settle)
    assert await batcher.predict(loaded, data.test_x[:1], 10, lambda answer: len(answer.outputs)) == 1


def test_all_answers_of_a_batch_are_written_before_the_first_is_sent(loaded: Loaded, recorder: Recorder, digits8: Data) -> None:
    happened: list[str] = []
    outputs = loaded.predictor.predict(digits8.test_x[:4].astype(np.float32)).outputs

    def settle(number: int, found: Found) -> Callable[[], None]:
        assert isinstance(found, Answer)
        assert np.allclose(found.outputs, outputs[number : number + 1], atol=1e-6)
        happened.append("written")
        return lambda: happened.append(f"sent {number}")

    asyncio.run(answered(Batcher(recorder, 100), loaded, digits8, [partial(settle, number) for number in range(4)]))

    assert happened == ["written"] * 4 + [f"sent {number}" for number in range(4)]


def test_who_cannot_take_an_answer_keeps_nobody_from_theirs(
    loaded: Loaded, recorder: Recorder, digits8: Data, caplog: pytest.LogCaptureFixture
) -> None:
    got: list[int] = []

    def fails(found: Found) -> Callable[[], None]:
        raise RuntimeError("not written")

    def gone() -> None:
        raise RuntimeError("not sent")

    settles: list[Settle] = [lambda _: partial(got.append, 0), fails, lambda _: gone, lambda _: partial(got.append, 3)]
    asyncio.run(answered(Batcher(recorder, 100), loaded, digits8, settles))

    assert got == [0, 3]
    assert [record.getMessage() for record in caplog.records] == [
        "an answer could not be written",
        "an answer could not be handed over",
    ]


def test_what_cannot_be_counted_is_answered_all_the_same(
    loaded: Loaded, recorder: Recorder, digits8: Data, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    got: list[int] = []

    def full(*_: object) -> None:
        raise OSError("no space left on the device")

    monkeypatch.setattr(recorder, "predicted", full)
    asyncio.run(answered(Batcher(recorder, 100), loaded, digits8, [lambda _: partial(got.append, 1)] * 3))

    assert got == [1, 1, 1]
    assert {record.getMessage() for record in caplog.records} == {"what was answered could not be counted"}


def test_who_is_alone_is_answered_before_the_loop_goes_on(loaded: Loaded, recorder: Recorder, digits8: Data) -> None:
    got: list[str] = []

    async def ask(is_alone: bool) -> None:
        batcher = Batcher(recorder, 100, lambda: is_alone)
        for number in range(2):
            batcher.submit(loaded, digits8.test_x[number : number + 1], 10, lambda _, number=number: partial(got.append, f"row {number}"))
            batcher.start()
            batcher.start()  # it is under way, or nothing is to be done
            got.append("started")
            await asyncio.sleep(0.01)

    asyncio.run(ask(is_alone=True))
    asyncio.run(ask(is_alone=False))

    assert got == ["row 0", "started", "row 1", "started", "started", "row 0", "started", "row 1"]


def test_whose_time_is_over_is_told_so(loaded: Loaded, recorder: Recorder, digits8: Data) -> None:
    told: list[Found] = []
    asyncio.run(answered(Batcher(recorder, 100), loaded, digits8, [lambda found: partial(told.append, found)] * 2, timeout=-1))

    assert [type(found) for found in told] == [TooLate, TooLate]
