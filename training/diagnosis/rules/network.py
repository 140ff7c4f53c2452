"""Rules on the network before it learns: how it starts, and whether its parts fit each other (after NeuraLint, TOSEM 2021)."""

from __future__ import annotations

import math
from collections.abc import Mapping

from training.diagnosis import thresholds as at
from training.diagnosis.facts import Facts, LayerFacts
from training.diagnosis.finding import Finding
from training.diagnosis.naming import found
from training.diagnosis.rules import Rule

_CROSS_ENTROPIES = ("crossentropy", "kl_divergence", "kldivergence")
#: What passes values on, so that two linear layers around it are still one.
_TRANSPARENT = ("Flatten", "Reshape", "Dropout", "SpatialDropout2D", "AveragePooling2D", "GlobalAveragePooling2D", "GlobalAveragePooling1D")
_LINEAR_KINDS = ("Dense", "Conv2D", "Conv1D", "DepthwiseConv2D")


def output_cannot_reach_targets(facts: Facts) -> Finding | None:
    if facts.data.task != "regression":
        return None
    _, _, lowest, highest = facts.data.target
    reach, margin = facts.start.reach, at.REACH_MARGIN * (highest - lowest)
    if reach[0] <= lowest + margin and reach[1] >= highest - margin:
        return None
    return found(
        "output-cannot-reach-targets", f"The output reaches {reach[0]:.4g} to {reach[1]:.4g}, the targets {lowest:.4g} to {highest:.4g}."
    )


def wrong_output_activation(facts: Facts) -> Finding | None:
    """Cross-entropy takes probabilities, or logits if it is told so."""
    settings = facts.settings
    if facts.data.task == "regression" or not _is_cross_entropy(settings.loss):
        return None
    suits = settings.output_activation == "linear" if settings.from_logits else settings.output_activation in ("softmax", "sigmoid")
    if suits:
        return None
    expected = "logits" if settings.from_logits else "probabilities"
    return found("wrong-output-activation", f"{settings.loss} expects {expected}, and the output is {settings.output_activation}.")


def wrong_loss(facts: Facts) -> Finding | None:
    """The gradient of a squared or absolute error vanishes where a softmax is surely wrong (Golik et al., Interspeech 2013)."""
    settings = facts.settings
    if facts.data.task == "regression" or _is_cross_entropy(settings.loss):
        return None
    return found("wrong-loss", f"The loss is {settings.loss} on {facts.data.classes} classes.")


def _is_cross_entropy(loss: str) -> bool:
    return any(name in loss.lower() for name in _CROSS_ENTROPIES)


def _hidden(facts: Facts) -> list[LayerFacts]:
    """Layers with a fresh kernel, but for the last: an output that starts at zero is good practice."""
    return [layer for layer in facts.layers if layer.deviation is not None and not layer.pretrained][:-1]


def symmetric_weights(facts: Facts) -> Finding | None:
    for layer in _hidden(facts):
        if layer.units > 1 and layer.twins >= at.TWIN_SHARE:
            return found(
                "symmetric-weights", f"All {layer.units} units start with the same weights, so they get the same gradient.", layer.name
            )
    return None


def recurrent_weights_too_large(facts: Facts) -> Finding | None:
    for layer in facts.layers:
        if layer.recurrent_gain is not None and layer.recurrent_gain > at.RECURRENT_GAIN and not layer.pretrained:
            return found(
                "recurrent-weights-too-large", f"Each step may stretch the state by {layer.recurrent_gain:.3g}; 1 keeps it.", layer.name
            )
    return None


def weights_too_large(facts: Facts) -> Finding | None:
    ratios = {layer: _ratio(layer) for layer in _spreading(facts)}
    worst = max(ratios, key=lambda layer: ratios[layer], default=None)
    if worst is None:
        return None
    loud = facts.data.classes > 1 and facts.start.loss > at.START_LOSS * math.log(facts.data.classes)
    if ratios[worst] <= (at.WEIGHTS_LARGE_AND_LOUD if loud else at.WEIGHTS_LARGE):
        return None
    return found("weights-too-large", f"{_spread(worst)}; the loss starts at {facts.start.loss:.3g}.", worst.name)


def weights_too_small(facts: Facts) -> Finding | None:
    ratios = {layer: _ratio(layer) for layer in _spreading(facts) if layer.twins < at.TWIN_SHARE}
    worst = min(ratios, key=lambda layer: ratios[layer], default=None)
    if worst is None or ratios[worst] >= at.WEIGHTS_SMALL:
        return None
    return found("weights-too-small", f"{_spread(worst)}.", worst.name)


def _spreading(facts: Facts) -> list[LayerFacts]:
    """Hidden layers with enough weights for their spread to say how they were drawn."""
    return [layer for layer in _hidden(facts) if layer.units * layer.inputs >= at.LEAST_WEIGHTS]


def _ratio(layer: LayerFacts) -> float:
    return (layer.deviation or 0.0) / (layer.ideal or 1.0)


def _spread(layer: LayerFacts) -> str:
    return f"The weights spread by {layer.deviation:.3g}, where {layer.ideal:.3g} keeps the signal as strong as it came"


def frozen_layer(facts: Facts) -> Finding | None:
    for layer in facts.layers:
        if layer.deviation is not None and not layer.trainable and not layer.pretrained:
            return found("frozen-layer", f"Its {layer.parameters:,} weights are random and do not learn.", layer.name)
    return None


def missing_nonlinearity(facts: Facts) -> Finding | None:
    """Two linear maps in a row are one."""
    layers = {layer.name: layer for layer in facts.layers}
    for layer in facts.layers:
        if layer.kind in _LINEAR_KINDS and (before := _linear_before(layer, layers)):
            evidence = f"Nothing bends what goes from {before.name} to {layer.name}: together they are one layer."
            return found("missing-nonlinearity", evidence, before.name)
    return None


def _linear_before(layer: LayerFacts, layers: Mapping[str, LayerFacts]) -> LayerFacts | None:
    """A linear layer whose output a layer takes as it is. What is not among the layers is the input, or arithmetic."""
    names = list(layer.takes)
    while names:
        before = layers.get(names.pop())
        if before and before.kind in _LINEAR_KINDS and before.activation == "linear":
            return before
        names += before.takes if before and before.kind in _TRANSPARENT else ()
    return None


RULES: tuple[Rule, ...] = (
    output_cannot_reach_targets,
    wrong_output_activation,
    wrong_loss,
    symmetric_weights,
    recurrent_weights_too_large,
    weights_too_large,
    weights_too_small,
    frozen_layer,
    missing_nonlinearity,
)
