"""Rules on gradients and updates, from the trace of the training steps."""

from __future__ import annotations

import numpy as np

from monitoring.arrays import FloatArray
from training.diagnosis import thresholds as at
from training.diagnosis.facts import Facts, Trace
from training.diagnosis.finding import Finding
from training.diagnosis.naming import found
from training.diagnosis.rules import Rule
from training.diagnosis.symptoms import diverged, early_steps, poor_on_training, tells_nothing


def learning_rate_too_high(facts: Facts) -> Finding | None:
    """The weights are replaced rather than changed, and the loss shows it: it rises, is no number, or nothing is learnt."""
    trace, curves = facts.trace, facts.curves
    if trace is None or curves is None or not len(curves.fixed_loss):
        return None
    steps = _largest_early(trace)
    lost = diverged(facts) or _rises(facts) or (facts.end is not None and poor_on_training(facts))
    if steps <= at.STEP_LARGE or not lost:
        return None
    what = "no number" if diverged(facts) else f"{curves.fixed_loss[-1]:.3g}"
    return found(
        "learning-rate-too-high",
        f"With a learning rate of {facts.settings.learning_rate:g} an update changes weights by up to {min(steps, 1e9):.2g} of their size; "
        f"the loss was {facts.start.loss:.3g} before the first and is {what} after the last.",
        epoch=1,
    )


def _rises(facts: Facts) -> bool:
    """Above what it was before the first update, or at the end far above its lowest on the validation rows, where one epoch may rise."""
    curves = facts.curves
    assert curves is not None
    fixed, held = (np.where(np.isfinite(values), values, np.inf) for values in (curves.fixed_loss, curves.validation_loss))
    return bool(fixed.max() > at.RISES * facts.start.loss or (facts.end is not None and held[-1] > at.RISES * held.min()))


def _largest_early(trace: Trace) -> float:
    """The largest ‖Δw‖ / ‖w‖ of a kernel in the first half of the trace; later, weights have grown to suit the steps."""
    ratios = trace.ratios[: max(10, len(trace.steps) // 2)]
    return float(np.where(np.isfinite(ratios), ratios, np.inf).max()) if ratios.size else 0.0


def learning_rate_too_low(facts: Facts) -> Finding | None:
    """Every kernel changes by less than a ten-thousandth, and the loss, which falls, has hardly fallen."""
    steps = early_steps(facts)
    step = float(np.median(steps)) if len(steps) else np.inf
    small = step < at.STEP_SMALL or (step < at.STEP_USUAL and _steady(facts))
    if facts.end is None or not small or not poor_on_training(facts):
        return None
    return found(
        "learning-rate-too-low",
        f"With a learning rate of {facts.settings.learning_rate:g} an update changes weights by {step:.2g} of their size; a thousandth is "
        f"usual. The loss went from {facts.start.loss:.3g} to {facts.end.loss:.3g}.",
    )


def _steady(facts: Facts) -> bool:
    """Over many epochs the loss has fallen in nearly every one: the way is right, and the steps are short."""
    losses = facts.curves.fixed_loss if facts.curves is not None else np.empty(0)
    return len(losses) >= at.MANY_EPOCHS and float(np.mean(np.diff(losses) < 0)) >= at.STEADY_SHARE


def exploding_gradient(facts: Facts) -> Finding | None:
    trace = facts.trace
    if trace is None or not len(trace.steps):
        return None
    mean = trace.of("mean_gradient")
    bad = ~np.isfinite(mean).all(axis=1) | (np.nan_to_num(mean, nan=np.inf).max(axis=1) > at.GRADIENT_HUGE)
    if not bad.any() and not diverged(facts):
        return None
    row = int(np.argmax(bad)) if bad.any() else len(bad) - 1
    worst = int(np.argmax(np.nan_to_num(mean[row], nan=np.inf)))
    return found("exploding-gradient", f"At update {trace.steps[row]:,} the mean gradient is {mean[row, worst]:.3g}.", trace.layers[worst])


def vanishing_gradient(facts: Facts) -> Finding | None:
    """The gradient at the first layer is a thousandth of that at the last, and nothing is learnt (AutoTrainer; Hochreiter 1991)."""
    trace = facts.trace
    if trace is None or facts.curves is None or len(facts.curves.loss) < 1 or len(trace.kernels) < 3 or not poor_on_training(facts):
        return None
    norms = _per_weight(trace)
    early = np.nanmedian(norms[: max(3, len(norms) // 3)], axis=0)
    ratio = float(early[0] / max(float(early[-1]), 1e-20))
    if not ratio < at.GRADIENT_RATIO_LOW and not (ratio < at.GRADIENT_RATIO_LOW_AND_STUCK and tells_nothing(facts)):
        return None
    return found(
        "vanishing-gradient", f"The gradient of its weights is {ratio:.1g} of that of the last layer.", trace.layers[int(trace.kernels[0])]
    )


def _per_weight(trace: Trace) -> FloatArray:
    """Root mean square gradient of a weight, (rows, kernels), so that large and small layers compare."""
    sizes = np.sqrt(np.array(trace.sizes, float)[trace.kernels])
    norms: FloatArray = trace.of("gradient")[:, trace.kernels] / sizes
    return norms


RULES: tuple[Rule, ...] = (learning_rate_too_high, learning_rate_too_low, exploding_gradient, vanishing_gradient)
