"""A wish to stop that is not lost. TensorFlow and Keras have bare `except:` clauses in which a KeyboardInterrupt can end, so that a
training that was interrupted in a bad moment went on and published. Here the signal is remembered, and raised again before that.
"""

from __future__ import annotations

import signal
import sys
from typing import Any

_wanted: list[int] = []


def listen() -> None:
    """Ctrl-C and SIGTERM end the process in good order, with its temporary folders removed."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _stop)


def check() -> None:
    """Raise KeyboardInterrupt or SystemExit if a signal has come that was meant to end the process."""
    if _wanted:
        _end(_wanted[0])


def _stop(number: int, frame: Any) -> None:
    _wanted.append(number)
    _end(number)


def _end(number: int) -> None:
    if number == signal.SIGINT:
        raise KeyboardInterrupt
    sys.exit(128 + number)
