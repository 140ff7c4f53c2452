"""Changes whose cause is known: of the inputs and of the classes, clients that are broken, and labels that mean something else."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from monitoring.arrays import FloatArray, IntArray
from monitoring.incidents.verdict import Cause
from monitoring.signals import shifts

Rows = NDArray[Any]


@dataclass(frozen=True)
class Change:
    """What happens: rows are sent otherwise (`send`), come in other shares (`weigh`), or mean something else (`relabel`)."""

    name: str
    cause: Cause
    send: Callable[[Rows, np.random.Generator], Rows] | None = None
    weigh: Callable[[IntArray, np.random.Generator], FloatArray] | None = None
    relabel: Callable[[IntArray, np.random.Generator], IntArray] | None = None
    repeats: bool = False


def changes() -> list[Change]:
    """All changes that are tried: those of `monitoring.signals.shifts`, clients that are broken, and labels that mean something else."""
    found = [_of_rows(name, _CAUSES.get(name, "input shift")) for name in shifts.IMAGE_SHIFTS]
    found += [_of_classes(name) for name in shifts.CLASS_SHIFTS]
    found += [
        Change("divided by 255", "broken client", lambda rows, rng: rows / 255),
        Change("standardized", "broken client", lambda rows, rng: (rows - rows.mean()) / rows.std()),
        Change("transposed", "broken client", lambda rows, rng: rows.swapaxes(1, 2)),
        Change("mirrored", "broken client", lambda rows, rng: rows[:, :, ::-1]),
        Change("one image again and again", "broken client", lambda rows, rng: rows[:1].repeat(len(rows), axis=0), repeats=True),
        Change("two labels exchanged", "concept change", relabel=_exchanged),
        Change("a third of the labels others", "concept change", relabel=_others),
    ]
    return found


#: What is rather to be mended at the client than in the world.
_CAUSES: dict[str, Cause] = {"inversion": "broken client", "constant": "broken client"}


def _of_rows(name: str, cause: Cause) -> Change:
    return Change(name, cause, lambda rows, rng: shifts.apply(name, rows, None, rng))


def _of_classes(name: str) -> Change:
    return Change(name, "label shift", weigh=lambda labels, rng: shifts.weights(name, labels, None, rng))


def _exchanged(labels: IntArray, rng: np.random.Generator) -> IntArray:
    one, other = rng.choice(int(labels.max()) + 1, 2, replace=False)
    return np.where(labels == one, other, np.where(labels == other, one, labels))


def _others(labels: IntArray, rng: np.random.Generator) -> IntArray:
    return np.where(rng.random(len(labels)) < 1 / 3, (labels + 1) % (labels.max() + 1), labels)
