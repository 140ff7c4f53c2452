"""When a trial is given up whatever its score: the diagnosis, as a search sees it.

This is the one place where it is wired: whatever is in `STOPS` is asked after every epoch. A verdict counts here only if it means that
the score will be bad: the loss is lost, or the network tells its rows no better than who has never seen one, neither those it is fitted to
nor others, and does not get on. What overfits or learns slowly is left to the pruner that compares trials.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from training.diagnosis import thresholds as at
from training.diagnosis.diagnose import diagnose
from training.diagnosis.facts import Curves, Facts
from training.diagnosis.symptoms import diverged, relative_fall, standard_error, tells_nothing

#: A reason to give a trial up, in words; None to go on.
Stop = Callable[[Facts], str | None]

#: A loss of this multiple of what it was before the first update does not come back.
_EXPLODED = 10.0
#: What keeps a network from learning anything, as far as it is known while it learns.
_CAUSES = ("learning-rate-too-high", "exploding-gradient", "dead-units", "vanishing-gradient", "saturated-units", "symmetric-weights")
#: Epochs without any success: where a cause is known, and where none is (of short trainings, and as a share of what is planned).
_WITH_CAUSE, _WITHOUT, _SHARE_WITHOUT = 2, 3, 0.25
#: Of the planned epochs, where the learning rate goes by a schedule.
_SHARE_OF_SCHEDULE = 0.5


def exploding(facts: Facts) -> str | None:
    """The loss is no number, or many times what it was, on the rows that are fitted and on others."""
    curves = facts.curves
    if diverged(facts):
        return "exploding: the loss is not a number any more"
    if curves is None or not len(curves.loss):
        return None
    now, before = min(curves.loss[-1], curves.validation_loss[-1]), facts.start.loss + facts.start.penalty
    if now > _EXPLODED * before:
        return f"exploding: the loss is {now:.3g}, and was {before:.3g} before the first update"
    return None


def learning_nothing(facts: Facts) -> str | None:
    """Rows are told by chance alone, and the loss stands still, though the learning rate has been as high as it gets for some epochs.

    Two are enough where the diagnosis names a cause, as units that are dead.
    """
    curves = facts.curves
    if curves is None or not len(curves.loss) or any(layer.pretrained for layer in facts.layers):
        return None  # layers of another model may yet be set free
    waited = _at_full_rate(curves, facts.settings.learning_rate)
    if waited < _WITH_CAUSE or not _at_chance(facts, curves) or not _stands_still(facts, curves):
        return None
    cause = next((finding for finding in diagnose(facts) if finding.kind in _CAUSES), None)
    if waited < _patience(facts, known=cause is not None):
        return None
    if cause is not None:
        return f"{cause.kind}: nothing is learnt. {cause.evidence}"
    return f"plateau: after {len(curves.loss)} epochs rows are told no better than by chance, and the loss stands still"


def _patience(facts: Facts, known: bool) -> float:
    """Epochs to wait. A learning rate that is too high now may be right later, where the schedule lowers it."""
    settings = facts.settings
    least = _WITH_CAUSE if known else max(_WITHOUT, _SHARE_WITHOUT * settings.epochs)
    return least if settings.schedule == "constant" else max(least, _SHARE_OF_SCHEDULE * settings.epochs)


def _at_full_rate(curves: Curves, highest: float) -> int:
    """Epochs since the learning rate has first been at half its height: what a warm-up holds back is not lost."""
    risen = np.flatnonzero(curves.rate >= 0.5 * highest)
    return len(curves.rate) - int(risen[0]) if len(risen) else 0


def _at_chance(facts: Facts, curves: Curves) -> bool:
    """Neither the rows that are fitted nor, after any epoch, others are told better than by the commonest class or the mean."""
    data = facts.data
    margin = at.TELLS_NOTHING_Z * standard_error(data.reference.chance, data.validation_rows, data.task)
    return tells_nothing(facts) and not bool(np.any(curves.validation_score > data.reference.chance + margin))


def _stands_still(facts: Facts, curves: Curves) -> bool:
    losses = np.concatenate([[facts.start.loss], curves.fixed_loss])
    fell = relative_fall(losses)
    return math.isnan(fell) or fell < at.STILL_FALLING


STOPS: tuple[Stop, ...] = (exploding, learning_nothing)
