"""The signals that end a process, and how a worker misses none while it is started.

Until its event loop listens, a worker has the handlers of the process that it was forked from, which would only remember the signal there.
So signals are held back from before the fork until then, and come after all.
"""

from __future__ import annotations

import os
import signal
from functools import partial

_ENDINGS = (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT)


def hold_in_forks() -> None:
    """Processes that this one forks from here on get these signals when they `hear`."""
    os.register_at_fork(before=partial(signal.pthread_sigmask, signal.SIG_BLOCK, _ENDINGS), after_in_parent=hear)


def hear() -> None:
    """Take these signals, also those that came meanwhile."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _ENDINGS)
