"""Silence for libraries that log what only their authors need; the user of `veleta train` sees our lines alone.

Only for the process of the command: TensorFlow reads these variables once, when it is loaded.
"""

from __future__ import annotations

import contextlib
import io
import logging
import os
import sys
import warnings
from collections.abc import Iterator
from typing import Any


def load_keras_quietly(devices: int = 0) -> None:
    """Import Keras with TensorFlow, without the lines that its C++ part writes before its own log level holds.

    `devices` above 1: without a GPU, the processor is split into so many, which can only be done before TensorFlow starts.
    Raises ImportError where the train extra is not installed.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")  # off by default without int8 dot products; convolutions take a quarter longer then
    os.environ["KERAS_BACKEND"] = "tensorflow"  # whatever else may be configured: pruning takes its gradients there
    with _no_stderr(), _hidden("sklearn", "matplotlib", "pandas"):
        import keras

        from training.devices import prepare
        from training.onednn import without_strided_points

        prepare(devices)
        without_strided_points()
        keras.random.SeedGenerator(0)  # makes TensorFlow start up, with all that it has to say
    logging.getLogger("absl").setLevel(logging.ERROR)
    logging.getLogger("tensorflow").setLevel(logging.ERROR)


@contextlib.contextmanager
def quiet_libraries() -> Iterator[None]:
    """No warnings, no log lines below an error and nothing on stdout from the export tools: stdout is for the result."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)


@contextlib.contextmanager
def _hidden(*names: str) -> Iterator[None]:
    """Keras loads these if it finds them, for wrappers and plots that nobody asks for here: a third of the time that it takes to load."""
    hidden: dict[str, Any] = {name: None for name in names if name not in sys.modules}
    sys.modules.update(hidden)
    try:
        yield
    finally:
        for name in hidden:
            del sys.modules[name]


@contextlib.contextmanager
def _no_stderr() -> Iterator[None]:
    """C++ writes to descriptor 2 itself, so replacing sys.stderr would not do."""
    sys.stderr.flush()
    kept = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(nowhere)
        os.close(kept)
