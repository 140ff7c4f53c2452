"""What is measured of a training, without a word on what it means. Numbers only, so that rules can be changed without training again."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np

from monitoring.arrays import FloatArray, IntArray

#: What a row of the trace has for each trainable tensor. Norms are Euclidean.
TRACED = ("mean_gradient", "gradient", "zero_gradients", "weight", "update", "finite")
#: What a row of the activations has for each layer.
#: `zeros`: share of activations that are zero; `dead_units`: of units active on under 1 % of the rows; `saturated` and `pinned`: of
#: activations beyond 95 % or all but a millionth of the range of tanh or sigmoid; deviations over all, and of a unit over rows.
ACTIVATED = ("zeros", "dead_units", "saturated", "pinned", "deviation", "row_deviation", "highest")
#: Before the name of a layer: the figure of an epoch that says how large its gradient was.
GRADIENT = "gradient_norm/"


@dataclass(frozen=True)
class Inputs:
    """What reaches the first layer that learns, after whatever scaling the network has inside, on a sample of training rows.

    `spread` is the standard deviation over all values, `highest` and `lowest` the extremes, `center` the mean; `spreads` (features,)
    are the deviations of the features. `constant` is the share of the features of the raw training rows that never change.
    `tokens`: whole numbers that an Embedding looks up, which have no scale.
    """

    lowest: float
    highest: float
    center: float
    spread: float
    spreads: FloatArray
    constant: float
    finite: bool
    tokens: bool


@dataclass(frozen=True)
class Reference:
    """What answers without a network would be worth on the validation rows: accuracy, or R² of a regression.

    `chance` always gives the commonest class (or the mean), `neighbors` asks the ten nearest training rows, `linear` is ridge
    regression. `agreement` is the share of training rows whose nearest other row has the same label, `agreement_by_chance` what
    unrelated labels would give. `scattered` is the median rate at which the neighbours of a class say each other class, times the
    classes but one: label noise spreads evenly, real confusions do not. None where there is too little to say.
    """

    chance: float
    neighbors: float | None
    linear: float | None
    agreement: float | None
    agreement_by_chance: float
    scattered: float | None

    @property
    def best(self) -> float:
        return max(value for value in (self.chance, self.neighbors, self.linear) if value is not None)


@dataclass(frozen=True)
class Data:
    """The rows that a network is fitted to and chosen by. Counts are (classes,), empty for a regression.

    `shared` is the share of the validation rows that are training rows too, `contradictory` that of training rows which are there
    again with another label. `target` has mean, standard deviation, lowest and highest of the values of a regression.
    """

    task: Literal["classification", "regression"]
    train_rows: int
    validation_rows: int
    train_counts: IntArray
    validation_counts: IntArray
    shared: float
    contradictory: float
    target: tuple[float, float, float, float]
    inputs: Inputs
    reference: Reference

    @property
    def classes(self) -> int:
        return len(self.train_counts)


@dataclass(frozen=True)
class LayerFacts:
    """One layer of the fresh network. `deviation` is that of its kernel at the start, `ideal` the one that keeps the signal as
    strong as it came (He for ReLU, Glorot otherwise), both None without a kernel. `twins` is the share of its columns that equal
    another column. `recurrent_gain` is the largest singular value of a recurrent kernel, gate by gate. `pretrained`: its weights
    come from another model. `bias` is the mean of its bias at the start. `takes` are the names of the layers whose outputs it takes.
    """

    name: str
    takes: tuple[str, ...]
    kind: str
    activation: str
    units: int
    inputs: int
    parameters: int
    trainable: bool
    pretrained: bool
    deviation: float | None
    ideal: float | None
    twins: float
    bias: float
    recurrent_gain: float | None
    dropout: float
    l1: float
    l2: float


@dataclass(frozen=True)
class Settings:
    """What the recipe asks for. `momentum` is that of SGD or β₁ of Adam and its kin, `epsilon` the optimizer's. `augmentation`: the
    largest shift as a share of the image, the largest rotation in degrees, the largest zoom. `updates` of the weights are planned.
    """

    loss: str
    from_logits: bool
    output_activation: str
    optimizer: str
    learning_rate: float
    momentum: float | None
    epsilon: float | None
    clips: bool
    schedule: str
    batch_size: int
    epochs: int
    updates: int
    patience: int
    class_weights: bool
    augmentation: tuple[float, float, float]


@dataclass(frozen=True)
class Trace:
    """Measured inside the training step every few updates: `values` (rows, tensors, TRACED), `steps`, `losses` and `rates` (rows,).

    `tensors` are the trainable ones in the order of the network, `layers` the layer of each, `sizes` their numbers of weights.
    """

    steps: IntArray
    losses: FloatArray
    rates: FloatArray
    tensors: tuple[str, ...]
    layers: tuple[str, ...]
    sizes: tuple[int, ...]
    values: FloatArray

    def of(self, what: str) -> FloatArray:
        """(rows, tensors) of one of TRACED."""
        chosen: FloatArray = self.values[:, :, TRACED.index(what)]
        return chosen

    @cached_property
    def kernels(self) -> IntArray:
        """The numbers of the tensors that multiply: kernels and embeddings, not biases or scales."""
        return np.array([i for i, name in enumerate(self.tensors) if name.rpartition("/")[2] in KERNELS], np.int64)

    @property
    def ratios(self) -> FloatArray:
        """‖Δw‖ / ‖w‖ of every traced update, (rows, kernels)."""
        ratios: FloatArray = self.of("update")[:, self.kernels] / np.maximum(self.of("weight")[:, self.kernels], 1e-12)
        return ratios


KERNELS = ("kernel", "recurrent_kernel", "embeddings", "depthwise_kernel", "pointwise_kernel")


@dataclass(frozen=True)
class Activations:
    """After each epoch, on a fixed small batch of training rows: `values` (epochs + 1, layers, ACTIVATED), the first row before any
    update. `rank` (epochs + 1,) is the effective rank of the embedding, exp of the entropy of its normalized singular values
    (Roy and Vetterli 2007), and `width` its number of features.
    """

    layers: tuple[str, ...]
    activations: tuple[str, ...]
    values: FloatArray
    rank: FloatArray
    width: int

    def of(self, what: str) -> FloatArray:
        """(epochs + 1, layers) of one of ACTIVATED."""
        chosen: FloatArray = self.values[:, :, ACTIVATED.index(what)]
        return chosen


@dataclass(frozen=True)
class Curves:
    """After each epoch. `loss` and `score` while training, with dropout and augmentation; `fixed_loss` and `fixed_score` on the
    fixed training rows without them; then the validation rows. Losses are without penalties on weights, but for `loss` and
    `validation_loss`, which are what Keras reports. Scores are accuracies, or R².
    """

    loss: FloatArray
    score: FloatArray
    fixed_loss: FloatArray
    fixed_score: FloatArray
    validation_loss: FloatArray
    validation_score: FloatArray
    rate: FloatArray


@dataclass(frozen=True)
class Start:
    """The network before the first update: its loss on the fixed training rows, and what its regularizers add to that.

    `reach` are the lowest and highest value that the output can have, by its activation and the scaling after it.
    """

    loss: float
    penalty: float
    reach: tuple[float, float]


@dataclass(frozen=True)
class End:
    """The network after the last update, on training rows and validation rows as they are (no dropout, no augmentation).

    `penalty` is what regularizers add to the loss. `confusion` (classes, classes) counts validation rows by [actual, predicted].
    """

    loss: float
    penalty: float
    confusion: IntArray
    train_score: float
    validation_score: float
    train_rows: int
    validation_rows: int
    stopped_at: int | None  # the update at which the loss was no number any more


@dataclass(frozen=True)
class Facts:
    """All of it. What comes after the first update is None before it, and `end` before the last."""

    data: Data
    layers: tuple[LayerFacts, ...]
    settings: Settings
    start: Start
    trace: Trace | None = None
    activations: Activations | None = None
    curves: Curves | None = None
    end: End | None = None

    def layer(self, name: str) -> LayerFacts | None:
        return next((layer for layer in self.layers if layer.name == name), None)


def as_json(value: Any) -> Any:
    """Facts as JSON has them, for a report."""
    if isinstance(value, np.ndarray):
        return value.tolist()
    if hasattr(value, "__dataclass_fields__"):
        return {name: as_json(getattr(value, name)) for name in value.__dataclass_fields__}
    if isinstance(value, tuple):
        return [as_json(part) for part in value]
    return value
