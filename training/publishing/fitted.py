"""What the signals of a variant need to know of it: its last layer, and how its embeddings of training rows lie."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from monitoring.signals.answered import CLASSES, VALUES, Answered
from monitoring.signals.columns import Columns
from monitoring.signals.energy import Head
from monitoring.signals.fourier import Fourier
from monitoring.signals.measure import Fitted
from monitoring.signals.space import ROWS, Space
from training.data.parts import Part
from training.onnx.answers import answer
from training.onnx.graph import TRAIN_ONLY, Call, Graph
from training.onnx.values import as_float32


def fit_signals(path: Path, head: Head | None, train: Part, classes: int, seed: int, columns: Columns | None = None) -> Fitted:
    """Of the ONNX file at `path`, which ends with `head`, on a draw of the training rows. Without rows of numbers for embeddings, as when
    the last Dense layer is applied along a sequence, there is nothing to fit of these. Without classes all rows are about one mean.
    `columns` are those of a table.
    """
    answered: Answered = CLASSES if classes else VALUES
    rows = train.draw(ROWS, seed)
    embeddings = answer(path, rows.x)[1]
    if embeddings.ndim != 2:
        return Fitted(columns=columns, answered=answered)
    space = Space.fit(embeddings, rows.y if classes else np.zeros(len(rows), dtype=np.int64), classes or 1)
    return Fitted(head, space, Fourier.fit(space.place(embeddings), seed), columns, answered)


def head_of(network: Any) -> Head | None:
    """The last Dense layer of a Keras network, if the softmax of what it gives is what the network answers."""
    graph = Graph.of(network)
    last = graph.last_dense
    if last is None:
        return None
    after = [call for call in graph.calls[graph.calls.index(last) + 1 :] if call.kind not in TRAIN_ONLY]
    ends = [last, *after]
    if [_activation(call) for call in ends] not in (["softmax"], ["linear", "softmax"]):
        return None
    kernel = as_float32(last.layer.kernel)
    return Head(kernel, as_float32(last.layer.bias) if last.layer.use_bias else np.zeros(kernel.shape[1], np.float32))


def _activation(call: Call) -> str:
    if call.kind == "Softmax":
        return "softmax"
    return str(call.layer.activation.__name__) if call.kind in ("Dense", "Activation") else call.kind
