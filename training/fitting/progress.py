"""What is said while training: a bar on a terminal, one line for each epoch elsewhere. All of it goes to stderr."""

from __future__ import annotations

import copy
import sys
import time
from collections.abc import Mapping
from typing import Any, Protocol, TextIO

import keras
from tqdm import tqdm

#: What is measured beside the loss, by task; the names that Keras logs.
METRICS = {"classification": "accuracy", "regression": "mae"}


class Listener(Protocol):
    """Whoever wants to know how a fit goes: the record, a search that may give it up."""

    def epoch(self, what: str, epoch: int, figures: Mapping[str, float]) -> None:
        """After an epoch (from 0) of the fit `what`: loss, accuracy, val_loss, … learning_rate, and what
        callbacks of the fit have added. What it raises ends the fit.
        """


class Progress:
    """Says how far the work is."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stderr
        self._terminal = self._stream.isatty()
        self._started = time.monotonic()
        self._listeners: tuple[Listener, ...] = ()

    def heard_by(self, *listeners: Listener) -> Progress:
        """The same, with listeners who are told of each epoch."""
        other = copy.copy(self)
        other._listeners = (*self._listeners, *listeners)
        return other

    def unheard(self) -> Progress:
        """The same, without listeners."""
        other = copy.copy(self)
        other._listeners = ()
        return other

    def say(self, line: str) -> None:
        """One line, with the time since the start."""
        print(f"[{time.monotonic() - self._started:5.1f} s] {line}", file=self._stream, flush=True)

    def callback(self, what: str, epochs: int, batches: int) -> Any:
        """Keras callbacks that report the epochs of one fit (`fit` takes a list for one of its callbacks)."""
        return [self._shown(what, epochs, batches), *(_Told(listener, what) for listener in self._listeners)]

    def _shown(self, what: str, epochs: int, batches: int) -> Any:
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


class _Told(keras.callbacks.Callback):  # type: ignore[misc]  # Keras has no types
    """Tells a listener."""

    def __init__(self, listener: Listener, what: str) -> None:
        super().__init__()
        self._listener, self._what = listener, what

    def on_epoch_end(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        figures = {name: float(value) for name, value in (logs or {}).items()}
        self._listener.epoch(self._what, epoch, {"learning_rate": float(self.model.optimizer.learning_rate)} | figures)


def _figures(logs: Mapping[str, float]) -> str:
    names = [name for name in ("loss", *METRICS.values()) if name in logs]
    train, validation = (", ".join(f"{name} {logs[start + name]:.4f}" for name in names) for start in ("", "val_"))
    return f"{train}; validation: {validation}"
