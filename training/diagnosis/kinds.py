"""The kinds of things that can be wrong: how grave each is, and what is to be done, in a sentence for people.

What a program does about each is in `remedies`. Causes stand before what follows from them: of several findings the first in this
table is named first.
"""

from __future__ import annotations

from dataclasses import dataclass

from training.diagnosis.finding import Severity


@dataclass(frozen=True)
class Kind:
    severity: Severity
    remedy: str


KINDS: dict[str, Kind] = {
    # the data
    "input-not-finite": Kind("error", "Find the rows with missing values, and fill or drop them."),
    "unscaled-input": Kind("warning", 'Scale the inputs: normalization = "auto".'),
    "scaled-twice": Kind("warning", 'Scale the inputs once: take out one of the two scalings, or normalization = "standardize".'),
    "constant-features": Kind("warning", "Look at how the data is read: features that never change tell nothing."),
    "shuffled-labels": Kind("error", "Look at how labels are joined to rows: they do not belong together."),
    "noisy-labels": Kind("warning", "Look through the labels that the neighbours of a row contradict; until then, label_smoothing = 0.1."),
    "unbalanced-classes": Kind("warning", 'Weigh the classes: class_weights = "balanced".'),
    "leaked-validation": Kind("warning", "Split anew, with rows that are alike in the same part; scores so far are too good."),
    "validation-too-small": Kind("warning", "Hold back more rows, or judge by folds: veleta train --folds 5."),
    # the network before it learns
    "output-cannot-reach-targets": Kind("error", 'Let the output reach every target: output_activation = "linear".'),
    "wrong-output-activation": Kind("error", 'Give the loss the probabilities that it expects: output_activation = "softmax".'),
    "wrong-loss": Kind("warning", 'Classes are learnt by cross-entropy: loss = "auto".'),
    "symmetric-weights": Kind("error", 'Start the units differently: kernel_initializer = "he_normal" or "glorot_uniform".'),
    "recurrent-weights-too-large": Kind(
        "warning", 'Start with recurrent_initializer = "orthogonal", which keeps the state as large as it is.'
    ),
    "weights-too-large": Kind("warning", 'Start smaller: kernel_initializer = "he_normal" before a rectifier, "glorot_uniform" otherwise.'),
    "weights-too-small": Kind("warning", 'Start larger: kernel_initializer = "he_normal" before a rectifier, "glorot_uniform" otherwise.'),
    "frozen-layer": Kind("warning", "Let the layer learn: take out trainable = false; only weights that were learnt are worth freezing."),
    "missing-nonlinearity": Kind("warning", 'Put a nonlinearity between the layers: activation = "relu"; as it is, they are one.'),
    # the fit as it is asked for
    "momentum-too-high": Kind("warning", "Take momentum = 0.9, or 0.95 with a lower learning rate."),
    "batch-too-small": Kind("warning", "Take batch_size = 32: single rows give noisy gradients and use a fraction of the processor."),
    "dropout-too-high": Kind("warning", "Drop fewer units: rate = 0.3."),
    "penalty-too-strong": Kind("warning", "Weaken the penalty on the weights: l2 = 0.0001."),
    "augmentation-too-strong": Kind("warning", "Augment less: shifts and zooms of a tenth, rotations of 10°."),
    "epsilon-too-large": Kind("warning", "Take Keras' epsilon, 1e-7: a large one switches off what adapts the steps."),
    "schedule-ended-early": Kind("warning", 'Let the learning rate last: schedule = "cosine", which ends with the training.'),
    # what is seen while it learns
    "learning-rate-too-high": Kind("error", "Take a tenth of the learning rate."),
    "exploding-gradient": Kind("error", "Clip the gradient: optimizer_arguments = { global_clipnorm = 1.0 }."),
    "network-too-small": Kind("warning", "Give the layer more units: at least as many as there are classes, better ten times that."),
    "dead-units": Kind("warning", 'Revive the units: bias_initializer = "zeros", activation = "leaky_relu", a lower learning rate.'),
    "vanishing-gradient": Kind(
        "warning", 'Let the gradient through: activation = "relu" with "he_normal", BatchNormalization, fewer layers.'
    ),
    "saturated-units": Kind("warning", "Keep the units off their limits: normalize the inputs, start with smaller weights."),
    "learning-rate-too-low": Kind("warning", "Take ten times the learning rate, or ask for it: learning_rate = find."),
    # what comes out
    "batch-too-large": Kind("warning", "Take a smaller batch, of at most 32 rows, or more epochs: the weights are updated too seldom."),
    "too-few-epochs": Kind("warning", "Train longer: the loss is still falling."),
    "overfitting": Kind("warning", "Hold the network back: dropout, augmentation, weight decay, a smaller network, or more rows."),
    "underfitting": Kind("warning", "Look further: the rows are told worse than by their nearest neighbours, and no cause was found."),
}
ORDER = {kind: place for place, kind in enumerate(KINDS)}
