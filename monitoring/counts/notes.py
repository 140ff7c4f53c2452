"""Notes: what requests leave behind to be counted later, by another thread."""

from __future__ import annotations

from collections import deque
from typing import TypeVar

T = TypeVar("T")


def take(notes: deque[T]) -> list[T]:
    """The notes that are there now, taken out. Others may be left meanwhile, by any thread, and stay.

    >>> notes = deque([1, 2])
    >>> take(notes), take(notes)
    ([1, 2], [])
    """
    first = notes.popleft
    return [first() for _ in range(len(notes))]
