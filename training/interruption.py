"""A wish to stop that is not lost. TensorFlow and Keras have bare `except:` clauses in which a KeyboardInterrupt can end, so that a
training that was interrupted in a bad moment went on and published. Here the signal is remembered, and raised again before that. What comes
later finds the work done: then it would say of a version on the shelf that there is none.
"""

from __future__ import annotations

import signal
import sys
from typing import Any

_wanted: list[int] = []
_over = False


def listen() -> None:
    """Ctrl-C and SIGTERM end the process in good order, with its temporary folders removed."""
    global _over
    _over = False
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _stop)


def last_chance() -> None:
    """Raise KeyboardInterrupt or SystemExit if a signal has come that was meant to end the process. Later ones are not heeded: what follows
    is short, and done to its end.
    """
    global _over
    if _wanted:
        _end(_wanted[0])
    _over = True


def _stop(number: int, frame: Any) -> None:
    if not _over:
        _wanted.append(number)
        _end(number)


def _end(number: int) -> None:
    if number == signal.SIGINT:
        raise KeyboardInterrupt
    sys.exit(128 + number)
