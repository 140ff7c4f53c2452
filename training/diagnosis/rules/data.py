"""Rules on the data, before the first update (and on what the network makes of doubtful labels, after the last)."""

from __future__ import annotations

import math

import numpy as np

from training.diagnosis import thresholds as at
from training.diagnosis.facts import Facts, Inputs
from training.diagnosis.finding import Finding
from training.diagnosis.measure.reference import scattered
from training.diagnosis.naming import found
from training.diagnosis.rules import Rule
from training.diagnosis.symptoms import standard_error, validation_score


def input_not_finite(facts: Facts) -> Finding | None:
    if facts.data.inputs.finite:
        return None
    return found("input-not-finite", "Training rows hold values that are no numbers.")


def unscaled_input(facts: Facts) -> Finding | None:
    """Large inputs make large activations, and gradients that differ by feature; UMLAUT (CHI 2021) checks the range."""
    inputs = facts.data.inputs
    if inputs.tokens:
        return None
    changing = inputs.spreads[inputs.spreads > at.NO_SPREAD]
    size, apart = _size(inputs), float(changing.max() / np.median(changing)) if len(changing) else 1.0
    if size > at.INPUT_SIZE:
        return found("unscaled-input", f"The first layer sees values from {inputs.lowest:.3g} to {inputs.highest:.3g}, {size:.3g} in size.")
    if apart > at.SPREADS_APART and inputs.spreads.max() > 1:
        return found("unscaled-input", f"One feature spreads {apart:,.0f} times as wide as the middle one.")
    return None


def scaled_twice(facts: Facts) -> Finding | None:
    inputs = facts.data.inputs
    if inputs.tokens or _size(inputs) >= at.INPUT_SMALL:
        return None
    return found("scaled-twice", f"The first layer sees values from {inputs.lowest:.3g} to {inputs.highest:.3g}: no feature is large.")


def _size(inputs: Inputs) -> float:
    return math.hypot(inputs.center, inputs.spread)


def constant_features(facts: Facts) -> Finding | None:
    share = facts.data.inputs.constant
    if facts.data.inputs.tokens or share < at.CONSTANT_SHARE:
        return None
    return found("constant-features", f"{share:.0%} of the features never change.")


def shuffled_labels(facts: Facts) -> Finding | None:
    """Labels that belong to their rows agree between neighbours more often than by chance, or can be learnt."""
    data, reference = facts.data, facts.data.reference
    if data.task == "regression" or reference.agreement is None:
        return None
    rows = min(data.train_rows, 2000)
    beyond = reference.agreement - reference.agreement_by_chance
    z = beyond / standard_error(reference.agreement_by_chance, rows, data.task)
    chance = reference.chance + at.LABEL_Z * standard_error(reference.chance, data.validation_rows, data.task)
    if (
        z > at.LABEL_Z
        or beyond > at.LABEL_KAPPA * (1 - reference.agreement_by_chance)
        or max(reference.neighbors or 0, reference.linear or 0) > chance
    ):
        return None
    told = validation_score(facts)
    if told > chance:
        return None
    network = "" if math.isnan(told) else f", and the network tells {told:.0%} of the validation rows"
    return found(
        "shuffled-labels",
        f"Nearest neighbours have the same label in {reference.agreement:.0%} of the rows, by chance it were "
        f"{reference.agreement_by_chance:.0%}{network}.",
        severity="warning" if math.isnan(told) else "error",
    )


def noisy_labels(facts: Facts) -> Finding | None:
    """Noise contradicts neighbours evenly over all pairs of classes; classes that are alike are confused in pairs."""
    by_neighbors = facts.data.reference.scattered
    by_network = scattered(facts.end.confusion) if facts.end is not None and len(facts.end.confusion) else by_neighbors
    if by_neighbors is None or by_network is None or min(by_neighbors, by_network) < at.SCATTERED:
        return None
    return found("noisy-labels", f"About {by_neighbors:.0%} of the labels contradict their neighbours, evenly over all classes.")


def unbalanced_classes(facts: Facts) -> Finding | None:
    counts = facts.data.train_counts
    if not len(counts) or facts.settings.class_weights or counts.max() <= at.CLASS_RATIO * counts.min():
        return None
    return found("unbalanced-classes", f"The commonest class has {counts.max():,} training rows, the rarest {counts.min():,}.")


def validation_too_small(facts: Facts) -> Finding | None:
    rows = facts.data.validation_rows
    if rows >= at.LEAST_VALIDATION:
        return None
    half = at.NORMAL_95 * math.sqrt(0.9 * 0.1 / max(rows, 1))
    return found("validation-too-small", f"On {rows} rows an accuracy of 90 % is known to ± {half:.0%}, which hides most differences.")


def leaked_validation(facts: Facts) -> Finding | None:
    shared = facts.data.shared
    if shared < at.SHARED_SHARE:
        return None
    return found("leaked-validation", f"{shared:.0%} of the validation rows are training rows as well.")


RULES: tuple[Rule, ...] = (
    input_not_finite,
    unscaled_input,
    scaled_twice,
    constant_features,
    shuffled_labels,
    noisy_labels,
    unbalanced_classes,
    validation_too_small,
    leaked_validation,
)
