"""When a trial is given up whatever its score: the diagnosis, as a search sees it.

This is the one place where it is wired: whatever is in `STOPS` is asked after every epoch.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

#: A training loss that has grown to this multiple of that of the first epoch does not come back.
_EXPLODED = 10.0


@dataclass(frozen=True)
class Facts:
    """What is known of a fit after an epoch. `curves` are by figure ("loss", "val_accuracy", "gradient_norm/dense", …), one value for each
    epoch up to now, NaN where there is none.
    """

    epoch: int
    curves: Mapping[str, Sequence[float]]


class Stop(Protocol):
    """A reason to give a trial up."""

    def __call__(self, facts: Facts) -> str | None:
        """The reason in words; None to go on."""


def exploding(facts: Facts) -> str | None:
    """The loss is not a number, or many times what it was.

    >>> exploding(Facts(1, {"loss": [2.3, 40.0]}))
    'exploding: the loss is 40, and was 2.3 after the first epoch'
    """
    first, last = facts.curves["loss"][0], facts.curves["loss"][-1]
    if not math.isfinite(last):
        return "exploding: the loss is not a number any more"
    if first > 0 and last > _EXPLODED * first:
        return f"exploding: the loss is {last:.3g}, and was {first:.3g} after the first epoch"
    return None


STOPS: tuple[Stop, ...] = (exploding,)
