"""The predictor: an ONNX file that answers rows. Made after the fork, and warmed up before anybody waits for it."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from app.errors import BadInput
from models.errors import ManifestError
from models.manifest import Input
from monitoring.reference import Reference
from monitoring.signals.measure import Batch

T = TypeVar("T")
#: Rows of the requests that are put together, and the seconds that they may take: beyond it little gets faster, only the memory and the
#: wait grow. With half as many, requests of 32 rows take a twentieth more of a processor: the calls of a model empty its caches, and what
#: comes after them is slow once each time.
MOST_ROWS, _MOST_SECONDS = 128, 0.016
#: Rows in one call, at least and at most, where there are so many.
_FEWEST, _MOST = 8, 64
#: More rows have to be faster by so much: with fewer, what else the caches hold stays there.
_WORTH = 1.03
#: How often a call is tried, unless that took so long already.
_TRIES, _TRYING_SECONDS = 5, 0.02
#: Task → what a model of it calls its answer.
OUTPUTS = {"classification": "probabilities", "regression": "value"}


class Inference(NamedTuple):
    """What a model gives for n rows: `outputs` (n, classes) probabilities or (n, 1) values, and `embedding` (n, features)."""

    outputs: NDArray[np.float32]
    embedding: NDArray[np.float32]


@dataclass(frozen=True)
class Called:
    """What a model gave for all rows of a `batch`, those of several requests together; its calls took `seconds`.

    What is said of each row is a list, made once for all requests, by the first that wants to know it: of a single row, NumPy takes ten
    times as long. `sealed` are the ids that rows were given, each with the place of its first row.
    """

    batch: Batch
    seconds: float
    reference: Reference
    made: dict[Callable[..., Any], list[Any] | None] = field(default_factory=dict)
    sealed: list[tuple[int, list[str]]] = field(default_factory=list)

    def all(self) -> Answer:
        """The answer to all rows."""
        return Answer(self, 0, len(self.batch))

    @cached_property
    def outlier(self) -> list[float] | None:
        """How unusual each row is, 0 to 1; None if the model does not tell."""
        return self.reference.outlier(self.batch)

    @cached_property
    def chosen(self) -> list[int]:
        """The place of the largest output of each row."""
        found: list[int] = self.batch.outputs.argmax(axis=1).tolist()
        return found

    @cached_property
    def largest(self) -> list[float]:
        """The largest output of each row."""
        return list(map(self.batch.outputs.item, range(len(self.batch)), self.chosen))


class Answer(NamedTuple):
    """The answer to n rows: those from `start` to `end` of a call. `outputs` (n, classes) probabilities or (n, 1) values, and
    `embedding` (n, features).
    """

    call: Called
    start: int
    end: int

    def of(self, start: int, end: int) -> Answer:
        """The answer to some of the rows."""
        return Answer(self.call, self.start + start, self.start + end)

    @property
    def outputs(self) -> NDArray[np.float32]:
        return self.call.batch.outputs[self.start : self.end]

    @property
    def embedding(self) -> NDArray[np.float32]:
        return self.call.batch.embeddings[self.start : self.end]

    @property
    def outlier(self) -> list[float] | None:
        return self.call.outlier and self.call.outlier[self.start : self.end]

    @property
    def chosen(self) -> list[int]:
        return self.call.chosen[self.start : self.end]

    @property
    def largest(self) -> list[float]:
        return self.call.largest[self.start : self.end]

    def each(self, make: Callable[..., list[T]], *more: Any) -> list[T]:
        """What `make(answer, *more)` has for each row. It is asked once for all rows of the call, and `more` is that of who asks first:
        for each request by itself it takes three times as long, all the more right after a call, which empties the processor's caches.

        If it raises BadInput there is a row of which nothing can be made; then it is asked for these rows alone.
        """
        made = self.call.made
        if make not in made:
            try:
                made[make] = make(self.call.all(), *more)
            except BadInput:
                made[make] = None
        found = made[make]
        return make(self, *more) if found is None else found[self.start : self.end]


class Pace(NamedTuple):
    """Rows in one call of a model, and rows of the requests that are put together, which may take several calls.

    What lies between the layers of a convolutional network fits into the processor's caches for few rows only. The weights of large
    dense layers are read again in each call, and a small network takes as long for a few rows as for one.

    >>> Pace.of({8: 81e-6, 16: 80e-6}.get), Pace.of({8: 15e-7, 16: 7e-7, 32: 4e-7, 64: 2e-7}.get)
    (Pace(call_rows=8, batch_rows=128), Pace(call_rows=64, batch_rows=128))
    >>> Pace.of({8: 8e-4, 16: 6e-4, 32: 5e-4, 64: 4e-4}.get), Pace.of({8: 0.3, 16: 0.3}.get)
    (Pace(call_rows=64, batch_rows=64), Pace(call_rows=8, batch_rows=8))
    """

    call_rows: int
    batch_rows: int

    @classmethod
    def of(cls, row_seconds: Callable[[int], float]) -> Pace:
        """Of the seconds that a row takes when so many are in one call. Twice as many are asked for as long as that is faster."""
        rows, seconds = _FEWEST, row_seconds(_FEWEST)
        while rows < _MOST and _WORTH * (of_more := row_seconds(2 * rows)) < seconds:
            rows, seconds = 2 * rows, of_more
        return cls(rows, min(MOST_ROWS, max(rows, int(_MOST_SECONDS / seconds))))


class _Single:
    """Calls for one row at a time, whose arrays the session knows already: to tell it of new ones is a twentieth of such a call."""

    def __init__(self, session: onnxruntime.InferenceSession, taken: Input, wanted: Mapping[str, int]) -> None:
        """`wanted` are the outputs, and how many values each has."""
        self._session, self._binding = session, session.io_binding()
        self._row = np.zeros((1, *taken.row_shape), taken.dtype)
        self._found = [np.zeros((1, width), np.float32) for width in wanted.values()]
        self._binding.bind_input(taken.name, "cpu", 0, self._row.dtype, self._row.shape, self._row.ctypes.data)
        for name, array in zip(wanted, self._found, strict=True):
            self._binding.bind_output(name, "cpu", 0, array.dtype, array.shape, array.ctypes.data)

    def call(self, rows: NDArray[Any]) -> Inference:
        self._row[...] = rows
        self._session.run_with_iobinding(self._binding)
        outputs, embedding = self._found
        return Inference(outputs.copy(), embedding.copy())


class Predictor:
    """One session of ONNX Runtime."""

    def __init__(self, path: Path, taken: Input, threads: int, running: AbstractContextManager[None], task: str = "classification") -> None:
        """`running` is entered while a call of the model is waited for."""
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # waiting threads leave the processor to others
        options.log_severity_level = 3
        try:
            self._session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # ONNX Runtime raises a dozen kinds without a common one
            raise ManifestError(f"{path} cannot be loaded as a model; publish the version again") from error
        outputs = {output.name: output for output in self._session.get_outputs()}
        self._wanted = [OUTPUTS[task], "embedding"]
        if not set(self._wanted) <= set(outputs):
            raise ManifestError(f"{path} has the outputs {sorted(outputs)}, expected {' and '.join(self._wanted)}; export it again")
        self._taken, self._running = taken, running
        self.pace = Pace(_MOST, _MOST)
        #: Values of an embedding, or None if that is not fixed.
        self.features = _last(outputs["embedding"])
        #: Probabilities of a row, or 1 of a regression; None likewise.
        self.answers = _last(outputs[self._wanted[0]])
        fixed = all(taken.row_shape) and all(_is_fixed(outputs[name]) for name in self._wanted)
        self._widths: Mapping[str, int] | None = {name: outputs[name].shape[1] for name in self._wanted} if fixed else None
        self._singles: list[_Single] = []

    def predict(self, rows: NDArray[Any]) -> Inference:
        """Answer rows (n, …), in calls of about as many as are answered fastest, and at most 64."""
        calls = max(len(rows) // self.pace.call_rows, -(-len(rows) // _MOST))
        if calls <= 1:
            return self._waited(rows)
        ends = [len(rows) * call // calls for call in range(calls + 1)]
        outputs, embeddings = zip(*(self._waited(rows[start:end]) for start, end in pairwise(ends)), strict=True)
        return Inference(np.concatenate(outputs), np.concatenate(embeddings))

    def warm_up(self) -> float:
        """Answer rows of nothing, many and one, so that the first request does not pay for memory and kernels, and see how many in one
        call are answered fastest. Seconds for one.
        """
        self._timed(1)
        self.pace = Pace.of(lambda rows: self._shortest(rows) / rows)
        self._timed(min(2 * self.pace.call_rows - 1, _MOST))
        return self._shortest(1)

    def _shortest(self, rows: int) -> float:
        """Of several: one call alone can take ten times as long while the machine does something else."""
        took: list[float] = []
        while len(took) < _TRIES and sum(took) < _TRYING_SECONDS:
            took.append(self._timed(rows))
        return min(took)

    def _timed(self, rows: int) -> float:
        began = time.perf_counter()
        self._call(np.zeros((rows, *(size or 1 for size in self._taken.shape[1:])), dtype=self._taken.dtype))
        return time.perf_counter() - began

    def _waited(self, rows: NDArray[Any]) -> Inference:
        with self._running:
            return self._call(rows)

    def _call(self, rows: NDArray[Any]) -> Inference:
        if len(rows) == 1 and self._widths:
            return self._call_single(rows, self._widths)
        outputs, embedding = self._session.run(self._wanted, {self._taken.name: rows.astype(self._taken.dtype, copy=False)})
        return Inference(outputs, embedding)

    def _call_single(self, rows: NDArray[Any], widths: Mapping[str, int]) -> Inference:
        try:
            single = self._singles.pop()
        except IndexError:  # the first, or other threads have the others
            single = _Single(self._session, self._taken, widths)
        found = single.call(rows)
        self._singles.append(single)
        return found


def _last(output: onnxruntime.NodeArg) -> int | None:
    return size if isinstance(size := output.shape[-1], int) else None


def _is_fixed(output: onnxruntime.NodeArg) -> bool:
    """Whether each row of an output has the same number of values, as floats of 4 bytes."""
    return output.type == "tensor(float)" and len(output.shape) == 2 and isinstance(output.shape[1], int)
