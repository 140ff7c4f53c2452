"""Rules on how the fit was asked for. What may be right elsewhere counts only where the fit shows that it was wrong here."""

from __future__ import annotations

import numpy as np

from training.diagnosis import thresholds as at
from training.diagnosis.facts import Facts
from training.diagnosis.finding import Finding
from training.diagnosis.naming import found
from training.diagnosis.rules import Rule
from training.diagnosis.symptoms import early_steps, poor_on_training, train_score

_ADAPTIVE = ("adam", "adamw", "nadam", "adamax", "rmsprop", "lamb")


def momentum_too_high(facts: Facts) -> Finding | None:
    momentum = facts.settings.momentum
    if momentum is None or momentum <= at.MOMENTUM_HIGH:
        return None
    return found(
        "momentum-too-high", f"A momentum of {momentum:g} adds up {1 / (1 - momentum):,.0f} steps, so that every step goes too far."
    )


def batch_too_small(facts: Facts) -> Finding | None:
    size, rows = facts.settings.batch_size, facts.data.train_rows
    if size > at.BATCH_SMALL or rows <= 16 * size:
        return None
    return found("batch-too-small", f"A batch has {size} of {rows:,} rows.")


def dropout_too_high(facts: Facts) -> Finding | None:
    worst = max(facts.layers, key=lambda layer: layer.dropout, default=None)
    if worst is None or worst.dropout < at.DROPOUT_WITH_HARM:
        return None
    if worst.dropout < at.DROPOUT_HIGH and not (facts.end is not None and poor_on_training(facts)):
        return None
    return found("dropout-too-high", f"{worst.dropout:.0%} of its inputs are dropped.", worst.name)


def penalty_too_strong(facts: Facts) -> Finding | None:
    """The penalty leads the weights to zero, and what has been learnt goes with them."""
    worst = max(facts.layers, key=lambda layer: max(layer.l1, layer.l2), default=None)
    shrunk = _shrunk(facts)
    if worst is None or shrunk is None or facts.end is None:
        return None
    share = facts.start.penalty / max(facts.start.loss, 1e-12)
    if share < (at.PENALTY_BY_LOSS if poor_on_training(facts) else at.PENALTY_BY_LOSS_ALONE):
        return None
    return found(
        "penalty-too-strong",
        f"With l1 = {worst.l1:g}, l2 = {worst.l2:g} the penalty starts at {facts.start.penalty:.3g} beside a loss of "
        f"{facts.start.loss:.3g}, and a kernel has shrunk to {shrunk:.0%} of what it was.",
        worst.name,
    )


def _shrunk(facts: Facts) -> float | None:
    """The smallest norm of a kernel at the end, by that at the start."""
    trace = facts.trace
    if trace is None or len(trace.steps) < 2 or not len(trace.kernels):
        return None
    norms = trace.of("weight")[:, trace.kernels]
    return float(np.nanmin(norms[-1] / np.maximum(norms[0], 1e-12)))


def augmentation_too_strong(facts: Facts) -> Finding | None:
    """Rows are told well as they are and badly as they are augmented, or badly altogether."""
    shift, rotation, zoom = facts.settings.augmentation
    if shift <= at.SHIFT_WIDE and rotation <= at.ROTATION_WIDE and zoom <= at.ZOOM_WIDE:
        return None
    if facts.end is None or facts.curves is None:
        return None
    gap = float(np.nanmax(facts.curves.fixed_score - facts.curves.score)) if len(facts.curves.score) else 0.0
    if gap < at.AUGMENTATION_GAP and not poor_on_training(facts):
        return None
    return found(
        "augmentation-too-strong",
        f"Shifts of up to {shift:.0%}, rotations of up to {rotation:.0f}° and zooms of up to {zoom:.0%}: {train_score(facts):.0%} of the "
        f"training rows are told as they are, {facts.curves.score[-1]:.0%} as they are augmented.",
    )


def epsilon_too_large(facts: Facts) -> Finding | None:
    """Adam divides by √v + ε: where ε is much larger than the gradient, every step is lr / ε times that (Kingma and Ba 2015)."""
    epsilon, trace = facts.settings.epsilon, facts.trace
    if facts.settings.optimizer not in _ADAPTIVE or epsilon is None or trace is None or not len(trace.steps):
        return None
    gradient = float(np.nanmedian(trace.of("mean_gradient")[:, trace.kernels]))
    if epsilon <= at.EPSILON_BY_GRADIENT * gradient or not _small(facts):
        return None
    return found("epsilon-too-large", f"epsilon is {epsilon:g}, the mean gradient {gradient:.2g}: the steps no longer adapt.")


def _small(facts: Facts) -> bool:
    steps = early_steps(facts)
    return bool(len(steps)) and float(np.median(steps)) < at.STEP_SMALL


def schedule_ended_early(facts: Facts) -> Finding | None:
    curves = facts.curves
    if facts.end is None or curves is None or len(curves.rate) < at.LEAST_EPOCHS or facts.settings.schedule == "constant":
        return None
    dead = curves.rate < at.RATE_DEAD * facts.settings.learning_rate
    dead[: int(np.argmax(curves.rate))] = False  # the warm-up
    if dead.mean() < at.RATE_DEAD_SHARE or train_score(facts) > at.LEARNT:
        return None
    epoch = int(np.argmax(dead)) + 1
    return found(
        "schedule-ended-early",
        f"From epoch {epoch} of {len(dead)} on the learning rate is below {at.RATE_DEAD:.0%} of {facts.settings.learning_rate:g}.",
        epoch=epoch,
    )


RULES: tuple[Rule, ...] = (
    momentum_too_high,
    batch_too_small,
    dropout_too_high,
    penalty_too_strong,
    augmentation_too_strong,
    epsilon_too_large,
    schedule_ended_early,
)
