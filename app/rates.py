"""A limit of requests per second for each caller, right over all workers of a server.

A token bucket kept as one number, the time at which the caller's bucket will be full again (the generic cell rate algorithm, ITU-T
I.371): a request adds its interval to it, and is too early if that would reach further ahead than the burst allows. The numbers lie
in a file that all workers map, so that it does not matter which of them a caller meets. They take no lock, which a hanging worker
would not give back: two workers that grant a request of the same caller within the same microsecond may grant one too many.
"""

from __future__ import annotations

import hashlib
import ipaddress
import math
import mmap
import os
from pathlib import Path

#: Callers that are told apart at a time. One whose bucket is full again needs no place, so places are taken over without loss.
_PLACES = 65536
_TRIES = 8


class Rates:
    """The buckets of all callers."""

    def __init__(self, path: Path, per_second: float, burst: int = 0) -> None:
        """`burst`: requests that may come at once; 0: as many as the rate gives in a second."""
        self._interval = 1 / per_second
        self._ahead = self._interval * ((burst or max(1, math.ceil(per_second))) - 0.999)  # the rest is for what rounding adds
        places = _PLACES + _TRIES
        path.parent.mkdir(parents=True, exist_ok=True)
        fd = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            os.ftruncate(fd, 16 * places)
            mapped = memoryview(mmap.mmap(fd, 16 * places))
        finally:
            os.close(fd)
        self._marks, self._full_at = mapped[: 8 * places].cast("Q"), mapped[8 * places :].cast("d")

    def take(self, caller: str, now: float) -> float:
        """Take a token. `now` is the time of `time.monotonic`. 0, or if there is none, the seconds until there will be one."""
        place = self._place(int.from_bytes(hashlib.blake2b(caller.encode(), digest_size=8).digest()))
        full_at = self._full_at[place]
        if full_at > now + self._ahead + 2 * self._interval:  # of before the machine was started, or of another limit
            full_at = now
        full_at = max(full_at, now)
        if full_at > now + self._ahead:
            return full_at - self._ahead - now
        self._full_at[place] = full_at + self._interval
        return 0.0

    def _place(self, mark: int) -> int:
        """The caller's place, or that of whose bucket has been full for longest."""
        first = mark % _PLACES
        places = range(first, first + _TRIES)
        for place in places:
            if self._marks[place] == mark:
                return place
        free = min(places, key=self._full_at.__getitem__)
        self._marks[free], self._full_at[free] = mark, 0.0
        return free


def network(address: str) -> str:
    """What stands for a client: its address, or for IPv6 the network of 64 bits, of which one client has every address."""
    if ":" not in address:
        return address
    try:
        found = ipaddress.IPv6Address(address.partition("%")[0])
    except ValueError:
        return address
    return str(found.ipv4_mapped or ipaddress.IPv6Network((int(found) >> 64 << 64, 64)))
