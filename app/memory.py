"""Memory that is asked for again and again stays with the process.

glibc takes pieces of 128 KB and more from the kernel and gives them back as soon as they are free, and with every use the kernel fills
their pages with zeros again: a third of the time in which what is watched is counted. From here on only pieces of 4 MB go back at once,
and what is free at the end of the heap when it is more than 16 MB (mallopt(3), M_MMAP_THRESHOLD and M_TRIM_THRESHOLD).
"""

from __future__ import annotations

import ctypes

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # as malloc.h has them
_KEPT_BYTES, _PIECE_BYTES = 16 << 20, 4 << 20


def keep_freed() -> bool:
    """Whether this C library can be told so; what has no such thing does as it likes."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    return mallopt is not None and bool(mallopt(_MMAP_THRESHOLD, _PIECE_BYTES) and mallopt(_TRIM_THRESHOLD, _KEPT_BYTES))
