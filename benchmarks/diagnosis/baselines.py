"""Rules of others on the same facts: Amazon SageMaker Debugger's and AutoTrainer's, written anew from their descriptions.

Thresholds are the published ones. They name symptoms where ours name causes, so each symptom is taken for any fault that can show it:
a verdict counts as right if one of the symptoms named may come from the fault that was put in.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from monitoring.arrays import FloatArray
from training.diagnosis.facts import Facts

_UNSTABLE = {"learning-rate-too-high", "exploding-gradient", "weights-too-large", "recurrent-weights-too-large", "momentum-too-high"}
_STUCK = {"learning-rate-too-low", "epsilon-too-large", "schedule-ended-early", "symmetric-weights", "weights-too-small", "dead-units"}
_WRONG = {"wrong-output-activation", "wrong-loss", "output-cannot-reach-targets", "unscaled-input", "scaled-twice"}
_HELD_BACK = {"dropout-too-high", "penalty-too-strong", "augmentation-too-strong", "network-too-small", "shuffled-labels"}

# SageMaker Debugger: the rules for deep learning and for any framework that a training without its service can be asked, with the
# default parameters of its documentation. Activations enter where the service would look at the inputs of tanh and sigmoid: "pinned"
# is tanh beyond 7.3 rather than 9.5. StalledTraining (30 minutes) and TensorVariance (no default) never fire here.


def dead_relu(facts: Facts) -> bool:
    """threshold_inactivity 1 %, threshold_layer 50 %"""
    seen = facts.activations
    if seen is None:
        return False
    relu = np.array([name == "relu" for name in seen.activations], bool)
    return bool(relu.any() and (seen.of("dead_units")[:, relu] > 0.5).any())


def exploding_tensor(facts: Facts) -> bool:
    """any NaN or infinity"""
    return not np.isfinite(_trace(facts)).all() or (facts.end is not None and facts.end.stopped_at is not None)


def poor_weight_initialization(facts: Facts) -> bool:
    """threshold 10 on the ratio of the largest to the smallest variance of a layer's weights. Its other test, the 5 to 95 % range of
    the gradients below 0.001 for five steps, is taken of their mean size: 4.6 times that, as for a Laplace distribution.
    """
    variances = [layer.deviation**2 for layer in facts.layers if layer.deviation is not None]
    if variances and max(variances) > 10 * min(variances):
        return True
    trace = facts.trace
    if trace is None or len(trace.steps) < 5:
        return False
    ranges = 4.6 * trace.of("mean_gradient")[:, trace.kernels]
    return bool((ranges[:5] < 0.001).all(axis=0).any())


def saturated_activation(facts: Facts) -> bool:
    """threshold_inactivity 1 %, threshold_layer 50 %"""
    return facts.activations is not None and bool((facts.activations.of("pinned") > 0.5).any())


def vanishing_gradient(facts: Facts) -> bool:
    """threshold 1e-7"""
    trace = facts.trace
    return trace is not None and bool((trace.of("mean_gradient") < 1e-7).any())


def weight_update_ratio(facts: Facts) -> bool:
    """large_threshold 10, small_threshold 1e-8"""
    trace = facts.trace
    return trace is not None and bool(((trace.ratios > 10) | (trace.ratios < 1e-8)).any())


def all_zero(facts: Facts) -> bool:
    """threshold 100 %"""
    trace = facts.trace
    return trace is not None and bool(((trace.of("zero_gradients") >= 1) | (trace.of("weight") == 0)).any())


def class_imbalance(facts: Facts) -> bool:
    """threshold_imbalance 10, threshold_misprediction 0.7"""
    counts = facts.data.train_counts
    if len(counts) and counts.max() > 10 * max(counts.min(), 1):
        return True
    if facts.end is None or not len(facts.end.confusion):
        return False
    rows = facts.end.confusion.sum(axis=1)
    return bool((1 - facts.end.confusion.diagonal()[rows > 0] / rows[rows > 0] > 0.7).any())


def loss_not_decreasing(facts: Facts) -> bool:
    """num_steps 10, diff_percent 0.1, increase_threshold_percent 5"""
    trace = facts.trace
    if trace is None or len(trace.steps) < 2:
        return False
    stride = max(1, round(10 / max(1, int(trace.steps[1] - trace.steps[0]))))
    change = (trace.losses[stride:] - trace.losses[:-stride]) / np.maximum(np.abs(trace.losses[:-stride]), 1e-12)
    return bool((change > -0.001).any())


def overfit(facts: Facts) -> bool:
    """ratio_threshold 0.1, patience 1"""
    curves = facts.curves
    return curves is not None and bool(((curves.validation_loss - curves.loss) > 0.1 * curves.loss).any())


def overtraining(facts: Facts) -> bool:
    """patience_train 5, patience_validation 10, delta 0.01"""
    curves = facts.curves
    return curves is not None and (_waits(curves.loss, 0.01) >= 5 or _waits(curves.validation_loss, 0.01) >= 10)


def _waits(values: FloatArray, delta: float) -> int:
    """The longest run of epochs that bring no gain of `delta`."""
    best, waited, longest = np.inf, 0, 0
    for value in values:
        best, waited = (value, 0) if value < best - delta else (best, waited + 1)
        longest = max(longest, waited)
    return longest


def unchanged_tensor(facts: Facts) -> bool:
    """num_steps 3, rtol 1e-5, atol 1e-8"""
    trace = facts.trace
    if trace is None or len(trace.steps) < 3:
        return False
    still = trace.of("update") <= 1e-5 * trace.of("weight") + 1e-8
    return bool((still[2:] & still[1:-1] & still[:-2]).any())


def check_input_images(facts: Facts) -> bool:
    """threshold_mean 0.2 around 0"""
    return not facts.data.inputs.tokens and abs(facts.data.inputs.center) > 0.2


def _trace(facts: Facts) -> FloatArray:
    return np.empty(0) if facts.trace is None else facts.trace.values


Symptoms = dict[str, tuple[Callable[[Facts], bool], set[str]]]
SAGEMAKER: Symptoms = {
    "ExplodingTensor": (exploding_tensor, _UNSTABLE | _WRONG),
    "ClassImbalance": (class_imbalance, {"unbalanced-classes"}),
    "AllZero": (all_zero, {"symmetric-weights", "dead-units", "frozen-layer", "constant-features"}),
    "DeadRelu": (dead_relu, {"dead-units", "learning-rate-too-high", "weights-too-large", "unscaled-input"}),
    "SaturatedActivation": (saturated_activation, {"unscaled-input", "weights-too-large", "recurrent-weights-too-large", *_UNSTABLE}),
    "VanishingGradient": (vanishing_gradient, {"vanishing-gradient", *_STUCK, "wrong-loss"}),
    "PoorWeightInitialization": (
        poor_weight_initialization,
        {"symmetric-weights", "weights-too-large", "weights-too-small", "recurrent-weights-too-large"},
    ),
    "WeightUpdateRatio": (weight_update_ratio, _UNSTABLE | _STUCK),
    "UnchangedTensor": (unchanged_tensor, _STUCK | {"frozen-layer"}),
    "CheckInputImages": (check_input_images, {"unscaled-input"}),
    "Overfit": (overfit, {"overfitting", "noisy-labels", "shuffled-labels"}),
    "Overtraining": (overtraining, {"overfitting"}),
    "LossNotDecreasing": (loss_not_decreasing, _UNSTABLE | _STUCK | _WRONG | _HELD_BACK),
}

# AutoTrainer (X. Zhang et al., ICSE 2021): five problems, asked of a training whose accuracy is below Θ = 0.6 where it says so;
# β₁ = 1e-3, β₂ = 1e-4, β₃ = 70, γ = 0.7, ζ = 0.03, η = 0.2, δ = 0.01.


def at_vanishing(facts: Facts) -> bool:
    """The norm at the first by that at the last layer is below β₁, that at the first below β₂, and the accuracy below Θ."""
    first, last = _ends(facts)
    return bool(((first < 1e-3 * last) & (first < 1e-4)).any()) and _accuracy(facts) < 0.6


def at_exploding(facts: Facts) -> bool:
    """The norm at the first by that at the last layer is above β₃, or there is no number any more."""
    first, last = _ends(facts)
    return exploding_tensor(facts) or (bool((first > 70 * last).any()) and _accuracy(facts) < 0.6)


def at_dying(facts: Facts) -> bool:
    """A share γ of the gradients is zero, with ReLU, and the accuracy is below Θ."""
    trace = facts.trace
    relu = any(layer.activation == "relu" for layer in facts.layers)
    return trace is not None and relu and bool((trace.of("zero_gradients") >= 0.7).any()) and _accuracy(facts) < 0.6


def at_oscillating(facts: Facts) -> bool:
    """In a share η of the epochs the accuracy turns by at least ζ."""
    if facts.curves is None or len(facts.curves.fixed_score) < 3:
        return False
    change = np.diff(facts.curves.fixed_score)
    turns = (change[1:] * change[:-1] < 0) & (np.minimum(np.abs(change[1:]), np.abs(change[:-1])) >= 0.03)
    return bool(turns.sum() >= 0.2 * len(facts.curves.fixed_score))


def at_slow(facts: Facts) -> bool:
    """The accuracy gains less than δ in an epoch while it is below Θ."""
    if facts.curves is None or len(facts.curves.fixed_score) < 2:
        return False
    scores = facts.curves.fixed_score
    return bool(np.diff(scores).max() < 0.01) and _accuracy(facts) < 0.6


def _ends(facts: Facts) -> tuple[FloatArray, FloatArray]:
    trace = facts.trace
    if trace is None or not len(trace.steps) or not len(trace.kernels):
        return np.ones(1), np.ones(1)
    norms = trace.of("gradient")[:, trace.kernels]
    return norms[:, 0], norms[:, -1]


def _accuracy(facts: Facts) -> float:
    return float(facts.curves.fixed_score[-1]) if facts.curves is not None and len(facts.curves.fixed_score) else 0.0


AUTOTRAINER: Symptoms = {
    "exploding gradient": (at_exploding, _UNSTABLE | _WRONG),
    "vanishing gradient": (at_vanishing, {"vanishing-gradient", *_STUCK}),
    "dying ReLU": (at_dying, {"dead-units", "learning-rate-too-high", "weights-too-large", "unscaled-input", "symmetric-weights"}),
    "oscillating loss": (at_oscillating, _UNSTABLE | {"batch-too-small"}),
    "slow convergence": (at_slow, _STUCK | _HELD_BACK | _WRONG | {"too-few-epochs", "batch-too-large"}),
}


def symptoms(facts: Facts, rules: Symptoms) -> list[str]:
    """Those that fire."""
    with np.errstate(all="ignore"):
        return [name for name, (fires, _) in rules.items() if fires(facts)]
