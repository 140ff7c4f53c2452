"""Natural batching: what has arrived while the last batch ran is the next batch.

No timer, so nobody waits at low load, and batches grow by themselves at high load. One queue for a worker, in which each model has its
own line; the lines take turns.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.errors import Overloaded, TooLate
from app.predictor import Answer
from app.served import Loaded
from monitoring.counts.recorder import Recorder
from monitoring.signals.measure import Batch

#: Rows of requests that are put together: beyond it nothing gets faster, only the memory and the wait grow.
MOST_ROWS = 32
#: A model that takes longer than this for one row runs beside the event loop, so that the loop goes on reading requests.
_SLOW_SECONDS = 0.001


@dataclass(frozen=True)
class _Waiting:
    rows: NDArray[Any]
    answer: asyncio.Future[Answer]
    timeout_seconds: float
    since: float

    @property
    def until(self) -> float:
        return self.since + self.timeout_seconds


class Batcher:
    """The queue of one worker. Made and used in its event loop."""

    def __init__(self, recorder: Recorder, most_waiting: int) -> None:
        self._recorder, self._most_waiting = recorder, most_waiting
        self._waiting_rows, self._row_seconds, self._drained_at = 0, 0.0, 0.0
        self._lines: dict[str, tuple[Loaded, deque[_Waiting]]] = {}
        self._turns: deque[str] = deque()
        self._running = False
        self._beside = ThreadPoolExecutor(1, thread_name_prefix="model")

    def admit(self) -> None:
        """Raise Overloaded if too much waits already: who comes last is turned away, before any work is done for them."""
        if self._waiting_rows >= self._most_waiting:
            raise Overloaded(self._waiting_rows, self._waiting_rows * self._row_seconds)

    async def predict(self, loaded: Loaded, rows: NDArray[Any], timeout_seconds: float) -> Answer:
        """Answer rows (n, …) together with what else waits for the same model. Raises Overloaded or TooLate."""
        self.admit()
        loop = asyncio.get_running_loop()
        key = loaded.subject.key
        if key not in self._lines:
            self._lines[key] = loaded, deque()
        line = self._lines[key][1]
        if not line:
            self._turns.append(key)
        waiting = _Waiting(rows, loop.create_future(), timeout_seconds, loop.time())
        line.append(waiting)
        self._waiting_rows += len(rows)
        if not self._running:
            self._running, self._drained_at = True, loop.time()
            loop.call_soon(self._next)
        return await waiting.answer

    def close(self) -> None:
        self._beside.shutdown(wait=False)

    def _next(self) -> None:
        """Run the batch of the model whose turn it is."""
        if not self._turns:
            self._running = False
            return
        key = self._turns.popleft()
        loaded, line = self._lines[key]
        loop = asyncio.get_running_loop()
        batch = self._take(line, loop.time())
        if line:
            self._turns.append(key)
        else:
            del self._lines[key]
        if not batch:
            loop.call_soon(self._next)
            return
        now = loop.time()
        self._recorder.queued(loaded.subject, [now - waiting.since for waiting in batch])
        rows = batch[0].rows if len(batch) == 1 else np.concatenate([waiting.rows for waiting in batch])
        if loaded.row_seconds > _SLOW_SECONDS or len(rows) > MOST_ROWS:
            loop.run_in_executor(self._beside, self._run, loaded, rows).add_done_callback(lambda done: self._finish(batch, done))
        else:
            done: asyncio.Future[Answer] = loop.create_future()
            _settle(done, self._run, loaded, rows)
            self._finish(batch, done)

    def _run(self, loaded: Loaded, rows: NDArray[Any]) -> Answer:
        return ask(loaded, rows, self._recorder)

    def _finish(self, batch: list[_Waiting], done: asyncio.Future[Answer]) -> None:
        start = 0
        for waiting in batch:
            end = start + len(waiting.rows)
            if not waiting.answer.done():  # its client may be gone
                if error := done.exception():
                    waiting.answer.set_exception(error)
                else:
                    answer = done.result()
                    waiting.answer.set_result(answer.of(start, end))
            start = end
        loop = asyncio.get_running_loop()
        self._measure(start, loop.time())
        loop.call_soon(self._next)

    def _take(self, line: deque[_Waiting], now: float) -> list[_Waiting]:
        """The first of the line and as many after it as fit; those whose time is over are told so and left out."""
        batch: list[_Waiting] = []
        rows = 0
        while line and (not batch or rows + len(line[0].rows) <= MOST_ROWS):
            waiting = line.popleft()
            self._waiting_rows -= len(waiting.rows)
            if waiting.answer.done():
                continue
            if waiting.until < now:
                waiting.answer.set_exception(TooLate(waiting.timeout_seconds))
                continue
            batch.append(waiting)
            rows += len(waiting.rows)
        return batch

    def _measure(self, rows: int, now: float) -> None:
        """How long a row takes from batch to batch, reading and writing included: a moving average over some fifty batches."""
        seconds = (now - self._drained_at) / rows
        self._row_seconds += (seconds - self._row_seconds) * (0.02 if self._row_seconds else 1)
        self._drained_at = now


def ask(loaded: Loaded, rows: NDArray[Any], recorder: Recorder) -> Answer:
    """Let a model answer, and note what it answered."""
    began = time.perf_counter()
    answer = loaded.predictor.predict(rows)
    seconds = time.perf_counter() - began
    recorder.predicted(loaded.subject, Batch(rows, answer.outputs, answer.embedding), seconds)
    outlier = loaded.subject.reference.outlier(answer.outputs, answer.embedding)
    return Answer(answer.outputs, answer.embedding, seconds, outlier)


def _settle(done: asyncio.Future[Answer], call: Any, *arguments: Any) -> None:
    try:
        done.set_result(call(*arguments))
    except Exception as error:  # whatever it is, it belongs to those who wait for it
        done.set_exception(error)
