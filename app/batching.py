"""Natural batching: what has arrived while the last batch ran is the next batch.

No timer, so nobody waits at low load, and batches grow by themselves at high load. One queue for a worker, in which each model has its
own line; the lines take turns.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from app.errors import Overloaded, TooLate
from app.predictor import Answer, Called
from app.served import Loaded
from monitoring.counts.recorder import Recorder
from monitoring.signals.measure import Batch

#: A model that takes longer than this for one row runs beside the event loop, so that the loop goes on reading requests.
_SLOW_SECONDS = 0.001
#: Takes the answer to some rows, or why there is none, and gives back what hands it over. All answers of a batch are written before the
#: first is handed over: to send one empties the processor's caches of what writes the next.
Settle = Callable[[Answer | Exception], Callable[[], None]]
T = TypeVar("T")
_log = logging.getLogger("veleta")


class _Waiting(NamedTuple):
    rows: NDArray[Any]
    settle: Settle
    is_gone: Callable[[], bool] | None
    timeout_seconds: float
    since: float


class Batcher:
    """The queue of one worker. Made and used in its event loop."""

    def __init__(self, recorder: Recorder, most_waiting: int, is_alone: Callable[[], bool] = lambda: False) -> None:
        """`is_alone` says whether nobody else can have sent a request by now."""
        self._recorder, self._most_waiting, self._is_alone = recorder, most_waiting, is_alone
        self._waiting_rows, self._row_seconds, self._drained_at = 0, 0.0, 0.0
        self._lines: dict[str, tuple[Loaded, deque[_Waiting]]] = {}
        self._turns: deque[str] = deque()
        self._running = False
        self._beside = ThreadPoolExecutor(1, thread_name_prefix="model")

    def admit(self) -> None:
        """Raise Overloaded if too much waits already: who comes last is turned away, before any work is done for them."""
        if self._waiting_rows >= self._most_waiting:
            raise Overloaded(self._waiting_rows, self._waiting_rows * self._row_seconds)

    async def predict(self, loaded: Loaded, rows: NDArray[Any], timeout_seconds: float, write: Callable[[Answer], T]) -> T:
        """What `write` makes of the answer to rows (n, …), which are answered together with what else waits for the same model.

        Raises Overloaded or TooLate, and what `write` raises.
        """
        written: asyncio.Future[T] = asyncio.get_running_loop().create_future()

        def settle(found: Answer | Exception) -> Callable[[], None]:
            try:
                if isinstance(found, Exception):
                    raise found
                return partial(_unless_gone, written, written.set_result, write(found))
            except Exception as error:
                return partial(_unless_gone, written, written.set_exception, error)

        self.submit(loaded, rows, timeout_seconds, settle, written.done)
        self.start()
        return await written

    def submit(
        self, loaded: Loaded, rows: NDArray[Any], timeout_seconds: float, settle: Settle, is_gone: Callable[[], bool] | None = None
    ) -> None:
        """The same without a task to wait in: `settle` is told the answer, after `start`. Raises Overloaded.

        If `is_gone` says by then that nobody waits for them, the rows are not answered.
        """
        self.admit()
        key = loaded.subject.key
        if key not in self._lines:
            self._lines[key] = loaded, deque()
        line = self._lines[key][1]
        if not line:
            self._turns.append(key)
        line.append(_Waiting(rows, settle, is_gone, timeout_seconds, asyncio.get_running_loop().time()))
        self._waiting_rows += len(rows)

    def start(self) -> None:
        """See to it that what was submitted is answered: once the loop has read what else has come by now, if anything can have."""
        if self._running or not self._turns:
            return
        loop = asyncio.get_running_loop()
        self._running, self._drained_at = True, loop.time()
        if self._is_alone():
            self._next()
        else:
            loop.call_soon(self._next)

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
        batch = self._take(line, loaded.predictor.pace.batch_rows, loop.time())
        if line:
            self._turns.append(key)
        else:
            del self._lines[key]
        if not batch:
            loop.call_soon(self._next)
            return
        finish = partial(self._finish, loaded, batch, loop.time())
        rows = batch[0].rows if len(batch) == 1 else np.concatenate([waiting.rows for waiting in batch])
        if loaded.row_seconds > _SLOW_SECONDS or len(rows) > loaded.predictor.pace.batch_rows:
            loop.run_in_executor(self._beside, _try, loaded, rows).add_done_callback(lambda done: finish(done.result()))
        else:
            finish(_try(loaded, rows))

    def _finish(self, loaded: Loaded, batch: list[_Waiting], began: float, found: Answer | Exception) -> None:
        """Hand the answers over, and only then note what is to be counted: nobody waits for that."""
        loop = asyncio.get_running_loop()
        loop.call_soon(self._next)  # whatever goes wrong here
        start, settled = 0, []
        for waiting in batch:
            end = start + len(waiting.rows)
            settled.append(_settle(waiting, found if isinstance(found, Exception) else found.of(start, end)))
            start = end
        for hand_over in settled:
            _hand_over(hand_over)
        try:
            self._count(loaded, batch, began, found)
        except Exception:  # all have their answers
            _log.exception("what was answered could not be counted")
        self._measure(start, loop.time())

    def _count(self, loaded: Loaded, batch: list[_Waiting], began: float, found: Answer | Exception) -> None:
        self._recorder.queued(loaded.subject, [began - waiting.since for waiting in batch])
        if not isinstance(found, Exception):
            note(loaded, found, self._recorder)
        self._recorder.count_many()

    def _take(self, line: deque[_Waiting], most_rows: int, now: float) -> list[_Waiting]:
        """The first of the line and as many after it as `most_rows` allow; those whose time is over are told so and left out."""
        batch: list[_Waiting] = []
        rows = 0
        while line and (not batch or rows + len(line[0].rows) <= most_rows):
            waiting = line.popleft()
            self._waiting_rows -= len(waiting.rows)
            if waiting.is_gone and waiting.is_gone():
                continue
            if waiting.since + waiting.timeout_seconds < now:
                _hand_over(_settle(waiting, TooLate(waiting.timeout_seconds)))
                continue
            batch.append(waiting)
            rows += len(waiting.rows)
        return batch

    def _measure(self, rows: int, now: float) -> None:
        """How long a row takes from batch to batch, reading and writing included: a moving average over some fifty batches."""
        seconds = (now - self._drained_at) / rows
        self._row_seconds += (seconds - self._row_seconds) * (0.02 if self._row_seconds else 1)
        self._drained_at = now


def _unless_gone(written: asyncio.Future[T], hand_over: Callable[[Any], None], found: Any) -> None:
    if not written.done():  # its client is gone
        hand_over(found)


def ask(loaded: Loaded, rows: NDArray[Any]) -> Answer:
    """Let a model answer."""
    began = time.perf_counter()
    outputs, embedding = loaded.predictor.predict(rows)
    return Called(Batch(rows, outputs, embedding), time.perf_counter() - began, loaded.subject.reference).all()


def note(loaded: Loaded, answer: Answer, recorder: Recorder) -> None:
    """Note what a model has answered, once the answer is written: then it has its ids."""
    recorder.predicted(loaded.subject, answer.call.batch, answer.call.seconds, answer.call.sealed)


def _try(loaded: Loaded, rows: NDArray[Any]) -> Answer | Exception:
    try:
        return ask(loaded, rows)
    except Exception as error:  # whatever it is, it belongs to those who wait for the answer
        return error


def _settle(waiting: _Waiting, found: Answer | Exception) -> Callable[[], None] | None:
    try:
        return waiting.settle(found)
    except Exception:  # the others of the batch still wait for theirs
        _log.exception("an answer could not be written")
        return None


def _hand_over(hand_over: Callable[[], None] | None) -> None:
    try:
        if hand_over:
            hand_over()
    except Exception:  # the others of the batch still wait for theirs
        _log.exception("an answer could not be handed over")
