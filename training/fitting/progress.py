"""What is said while training: a bar on a terminal, one line for each epoch elsewhere. All of it goes to stderr."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from typing import Any, TextIO

import keras
from tqdm import tqdm

#: What is measured beside the loss, by task; the names that Keras logs.
METRICS = {"classification": "accuracy", "regression": "mae"}


class Progress:
    """Says how far the work is."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stderr
        self._terminal = self._stream.isatty()
        self._started = time.monotonic()

    def say(self, line: str) -> None:
        """One line, with the time since the start."""
        print(f"[{time.monotonic() - self._started:5.1f} s] {line}", file=self._stream, flush=True)

    def callback(self, what: str, epochs: int, batches: int) -> Any:
        """A Keras callback that reports the epochs of one fit."""
        if not self._terminal:
            return keras.callbacks.LambdaCallback(
                on_epoch_end=lambda epoch, logs: self.say(f"{what}: epoch {epoch + 1}/{epochs}  {_figures(logs)}")
            )
        bar = tqdm(total=epochs * batches, desc=what, unit="batch", file=self._stream, leave=True)
        return keras.callbacks.LambdaCallback(
            on_train_batch_end=lambda batch, logs: bar.update(),
            on_epoch_end=lambda epoch, logs: bar.set_postfix_str(_figures(logs)),
            on_train_end=lambda logs: bar.close(),
        )


def _figures(logs: Mapping[str, float]) -> str:
    names = [name for name in ("loss", *METRICS.values()) if name in logs]
    train, validation = (", ".join(f"{name} {logs[start + name]:.4f}" for name in names) for start in ("", "val_"))
    return f"{train}; validation: {validation}"
