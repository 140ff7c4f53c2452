"""When a trial is given up whatever its score: the diagnosis, as a search sees it.

This is the one place where it is wired: whatever is in `STOPS` is asked after every epoch.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

#: A loss of this multiple of what knowing nothing costs, or of that after the first epoch, does not come back.
_EXPLODED = 10.0


@dataclass(frozen=True)
class Facts:
    """What is known of a fit after an epoch. `curves` are by figure ("loss", "val_accuracy", "gradient_norm/dense", …), one value for each
    epoch up to now, NaN where there is none; `chance` is the loss of who knows nothing, the logarithm of the number of classes.
    """

    epoch: int
    curves: Mapping[str, Sequence[float]]
    chance: float | None = None


class Stop(Protocol):
    """A reason to give a trial up."""

    def __call__(self, facts: Facts) -> str | None:
        """The reason in words; None to go on."""


def exploding(facts: Facts) -> str | None:
    """The loss is not a number, or many times what it was.

    >>> exploding(Facts(0, {"loss": [400.0], "val_loss": [300.0]}, chance=2.3))
    'exploding: the loss is 300, and knowing nothing costs 2.3'
    """
    losses = [facts.curves[name][-1] for name in ("loss", "val_loss") if name in facts.curves]
    if not all(map(math.isfinite, losses)):
        return "exploding: the loss is not a number any more"
    now, first = min(losses), facts.curves["loss"][0]
    if facts.chance is not None and now > _EXPLODED * facts.chance:
        return f"exploding: the loss is {now:.3g}, and knowing nothing costs {facts.chance:.3g}"
    if now > _EXPLODED * first > 0:
        return f"exploding: the loss is {now:.3g}, and was {first:.3g} after the first epoch"
    return None


STOPS: tuple[Stop, ...] = (exploding,)
