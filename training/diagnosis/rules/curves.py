"""Rules on the curves and on how good it became in the end."""

from __future__ import annotations

import math

import numpy as np

from training.diagnosis import thresholds as at
from training.diagnosis.facts import Facts
from training.diagnosis.finding import Finding
from training.diagnosis.naming import found
from training.diagnosis.rules import Rule
from training.diagnosis.symptoms import far_below, poor, poor_on_training, relative_fall, train_score, validation_score


def network_too_small(facts: Facts) -> Finding | None:
    """A layer so narrow that what the classes need does not fit through it."""
    needed = max(2, min(at.LEAST_UNITS, facts.data.classes - 1)) if facts.data.classes else 2
    hidden = [layer for layer in facts.layers if layer.deviation is not None][:-1]
    narrow = min(hidden, key=lambda layer: layer.units, default=None)
    if facts.end is None or narrow is None or narrow.units >= needed or not poor_on_training(facts):
        return None
    what = f"{facts.data.classes} classes" if facts.data.classes else "the values"
    told = f"{train_score(facts):.0%} of the training rows are told"
    return found("network-too-small", f"{narrow.units} units have to carry what tells {what} apart; {told}.", narrow.name)


def _falling(facts: Facts) -> float:
    """By what share the loss fell in the last fifth of the epochs."""
    curves = facts.curves
    assert curves is not None
    return relative_fall(np.concatenate([[facts.start.loss], curves.fixed_loss]))


def batch_too_large(facts: Facts) -> Finding | None:
    size, rows = facts.settings.batch_size, facts.data.train_rows
    if facts.end is None or size < at.BATCH_SHARE * rows or facts.settings.updates >= at.FEW_UPDATES or train_score(facts) > at.LEARNT:
        return None
    if not poor_on_training(facts) and _falling(facts) < at.STILL_FALLING:
        return None
    return found("batch-too-large", f"A batch has {size:,} of {rows:,} rows, so that there are {facts.settings.updates:,} updates in all.")


def too_few_epochs(facts: Facts) -> Finding | None:
    """The training ended by its bound and not by itself, while the loss was falling."""
    curves = facts.curves
    if facts.end is None or curves is None or not len(curves.loss) or train_score(facts) > at.LEARNT:
        return None
    fell = max(_falling(facts), relative_fall(np.concatenate([[facts.start.loss], curves.loss])))
    few = len(curves.loss) < at.LEAST_EPOCHS
    enough = at.STILL_FALLING if not few else 0.0 if poor(facts) else at.STILL_FALLING_FAST
    if len(curves.loss) < facts.settings.epochs or not fell > enough or not (few or poor(facts)):
        return None
    return found(
        "too-few-epochs",
        f"After all of {len(curves.loss)} epochs ({facts.settings.updates:,} updates) the loss is still falling: by {fell:.0%} lately.",
    )


def overfitting(facts: Facts) -> Finding | None:
    """Training rows are told better than others by more than chance, and the validation loss has been rising."""
    curves, data = facts.curves, facts.data
    if facts.end is None or curves is None or len(curves.loss) < 3:
        return None
    gap = float(np.nanmax(curves.fixed_score[-3:])) - float(np.nanmax(curves.validation_score[-3:]))
    lowest, last = float(np.nanmin(curves.validation_loss)), float(np.nanmedian(curves.validation_loss[-3:]))
    error = math.sqrt(0.25 / max(data.validation_rows, 1)) if data.task == "classification" else 0.1
    rises = gap > at.OVERFIT_GAP + error and last > at.OVERFIT_RISE * lowest
    if not rises and not gap > at.OVERFIT_GAP_ALONE:
        return None
    return found(
        "overfitting",
        f"{curves.fixed_score[-1]:.0%} of the training rows are told and {curves.validation_score[-1]:.0%} of the validation rows; the "
        f"validation loss was {lowest:.3g} after epoch {int(np.nanargmin(curves.validation_loss)) + 1} and is {last:.3g} at the end.",
        epoch=int(np.nanargmin(curves.validation_loss)) + 1,
    )


def underfitting(facts: Facts) -> Finding | None:
    """What is left when no cause was found: neighbours or ridge regression do far better."""
    if facts.end is None or not far_below(facts):
        return None
    best = facts.data.reference.best
    return found(
        "underfitting", f"{validation_score(facts):.0%} of the validation rows are told; without a network it would be {best:.0%}."
    )


RULES: tuple[Rule, ...] = (network_too_small, batch_too_large, too_few_epochs, overfitting, underfitting)
