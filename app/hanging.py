"""Calls of models that do not come back. A call that runs beside the event loop would otherwise be missed: the heart goes on beating."""

from __future__ import annotations

import threading
import time
from contextlib import AbstractContextManager
from typing import NamedTuple

from app.errors import NotReady


class Call(NamedTuple):
    """A call of a model, by the subject's key, and since when it runs (time.monotonic)."""

    key: str
    began: float

    @property
    def seconds(self) -> float:
        return time.monotonic() - self.began


class _Running(AbstractContextManager[None]):
    """One for all calls of a model: a generator for each takes two and a half times as long."""

    def __init__(self, running: dict[int, Call], key: str) -> None:
        self._running, self._key = running, key

    def __enter__(self) -> None:
        self._running[threading.get_ident()] = Call(self._key, time.monotonic())

    def __exit__(self, *_: object) -> None:
        del self._running[threading.get_ident()]


class Calls:
    """The calls that run now in this worker, in whatever thread."""

    def __init__(self, hang_seconds: float) -> None:
        self._hang_seconds = hang_seconds
        self._running: dict[int, Call] = {}

    def running(self, key: str) -> AbstractContextManager[None]:
        """What is entered for each call of a model, by any thread."""
        return _Running(self._running, key)

    def hanging(self) -> Call | None:
        """The call that will not come back, as far as anybody can tell."""
        return self._older_than(self._hang_seconds)

    def check(self) -> None:
        """Raise NotReady if there is a call that one should not line up behind: a third of the time is over after which it hangs."""
        if self._running and (call := self._older_than(self._hang_seconds / 3)):
            raise NotReady(f"{call.key} has not answered for {call.seconds:.0f} seconds; send to another server, or come again")

    def _older_than(self, seconds: float) -> Call | None:
        oldest = min(list(self._running.values()), key=lambda call: call.began, default=None)
        return oldest if oldest and oldest.seconds > seconds else None
