"""Looks on while a network is fitted, and gathers the facts: training.fitting.watch.Watch, for whoever wants a diagnosis."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np

from monitoring.arrays import FloatArray, IntArray
from training.data.parts import Problem, Split
from training.diagnosis import thresholds as at
from training.diagnosis.facts import GRADIENT, TRACED, Activations, Curves, Data, End, Facts, Start, Trace
from training.diagnosis.measure.data import data_facts, sample
from training.diagnosis.measure.network import layer_facts, reach_of, seen_inputs
from training.diagnosis.measure.passes import ActivationPass, effective_rank
from training.diagnosis.measure.probe import ProbedModel
from training.diagnosis.measure.scores import answer_loss, confusion, score
from training.diagnosis.measure.settings import settings_facts
from training.recipe import Recipe


class FactsWatch:
    """Gathers `facts` of one fit of a recipe; `look` is called with them before the first update and after each epoch.

    `known` is what an earlier watch over the same rows has found of them, which takes a second: a search looks at them once.
    """

    def __init__(self, recipe: Recipe, look: Callable[[Facts], None] = lambda facts: None, known: Data | None = None) -> None:
        self._recipe, self._look, self._known = recipe, look, known
        self._callback: _Gather | None = None

    @property
    def model_class(self) -> type[Any]:
        return ProbedModel

    def callbacks(self, network: Any, problem: Problem, split: Split) -> list[Any]:
        """The same one for every stage of a fit, so that the facts go on."""
        self._callback = self._callback or _Gather(self._recipe, network, problem, split, self._look, self._known)
        return [self._callback]

    @property
    def facts(self) -> Facts | None:
        """What is known so far; None before a fit has begun."""
        return self._callback.facts if self._callback else None


class _Gather(keras.callbacks.Callback):  # type: ignore[misc]
    """Reads the probe and asks the network about the fixed rows when an epoch ends."""

    def __init__(
        self, recipe: Recipe, network: Any, problem: Problem, split: Split, look: Callable[[Facts], None], known: Data | None
    ) -> None:
        super().__init__()
        self._known = known
        self._recipe, self._network, self._problem, self._split, self._look = recipe, network, problem, split, look
        rng = np.random.default_rng(recipe.seed)
        self._fixed = sample(split.train, at.FIXED_ROWS, rng)
        self._held = sample(split.validation, at.FIXED_ROWS, rng)
        self._train, self._validation = (sample(part, at.END_ROWS, rng) for part in (split.train, split.validation))
        self._epochs: list[dict[str, float]] = []
        self._passes: list[tuple[FloatArray, float]] = []
        self._traces: list[_Recording] = []
        self._width = 0
        self.facts: Facts | None = None

    def on_train_begin(self, logs: Any = None) -> None:
        """Also called again when a fit has a second stage, with other layers that learn."""
        if self.facts is None:
            self._start()
        batches = math.ceil(len(self._split.train) / self._recipe.batch_size)
        assert self.facts is not None
        every = max(1, min(at.MOST_BETWEEN_ROWS, self.facts.settings.updates // at.LEAST_ROWS))
        if hasattr(self.model, "start_probe"):
            self.model.start_probe(every, batches // every + 2)
            self._traces.append(_Recording.of(self.model.trainable_weights))
            self.model.make_train_function(force=True)

    def _start(self) -> None:
        self._pass = ActivationPass(self._network)
        inputs = seen_inputs(self._network, sample(self._split.train, at.END_ROWS, np.random.default_rng(self._recipe.seed)).x)
        data = dataclasses.replace(self._known, inputs=inputs) if self._known else None
        self.facts = Facts(
            data or data_facts(self._problem, self._split, inputs, self._recipe.seed),
            layer_facts(self._network, pretrained=bool(self._recipe.base)),
            settings_facts(self._recipe, self._problem, len(self._split.train), self.model.optimizer),
            Start(self._ask()[0], self._penalty(), reach_of(self._network)),
        )
        self._gathered()

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Also tells whoever looks at the logs after it how large the gradients were."""
        logs = {} if logs is None else logs
        if self._traces:
            steps, losses, values = self.model.read_probe()
            self._traces[-1].add(steps, losses, values, self._rate())
            logs |= {f"{GRADIENT}{layer}": norm for layer, norm in self._traces[-1].gradient_norms().items()}
        loss, right = self._ask()
        self._epochs.append({"fixed_loss": loss, "fixed_score": right, "rate": self._rate(), **self._logged(logs)})
        self._gathered()

    def on_train_end(self, logs: Any = None) -> None:
        self._gathered(self._end())

    def _ask(self) -> tuple[float, float]:
        """The fixed rows: loss and score; what the layers did is kept."""
        answers, seen, embedding = self._pass(self._fixed.x)
        self._width = embedding.shape[1]
        self._passes.append((seen, effective_rank(embedding)))
        return answer_loss(answers, self._fixed.y, self._problem), score(answers, self._fixed.y, self._problem)

    def _logged(self, logs: dict[str, float]) -> dict[str, float]:
        found = {"loss": logs.get("loss", math.nan), "validation_loss": logs.get("val_loss", math.nan)}
        if "val_accuracy" in logs:
            return found | {"score": logs["accuracy"], "validation_score": logs["val_accuracy"]}
        return found | {"score": math.nan, "validation_score": score(self._pass.answers(self._held.x), self._held.y, self._problem)}

    def _rate(self) -> float:
        return float(np.asarray(self.model.optimizer.learning_rate))

    def _penalty(self) -> float:
        return float(sum(float(np.asarray(loss)) for loss in self._network.losses))

    def _gathered(self, end: End | None = None) -> None:
        assert self.facts is not None
        self.facts = dataclasses.replace(self.facts, trace=self._trace(), activations=self._activations(), curves=self._curves(), end=end)
        self._look(self.facts)

    def _trace(self) -> Trace | None:
        """Of the longest stage."""
        return max(self._traces, key=len).trace() if self._traces else None

    def _activations(self) -> Activations:
        values, rank = zip(*self._passes, strict=True)
        return Activations(self._pass.layers, self._pass.activations, np.stack(values), np.array(rank), self._width)

    def _curves(self) -> Curves:
        names = [field.name for field in dataclasses.fields(Curves)]
        return Curves(**{name: np.array([epoch[name] for epoch in self._epochs]) for name in names})

    def _end(self) -> End:
        told, held = (self._pass.answers(part.x) for part in (self._train, self._validation))
        bad = [step for recording in self._traces for step in recording.bad]
        return End(
            loss=answer_loss(told, self._train.y, self._problem),
            penalty=self._penalty(),
            confusion=confusion(held, self._validation.y, self._problem),
            train_score=score(told, self._train.y, self._problem),
            validation_score=score(held, self._validation.y, self._problem),
            train_rows=len(self._train),
            validation_rows=len(self._validation),
            stopped_at=bad[0] if bad else None,
        )


class _Recording:
    """Rows of one stage of the fit, in which the same tensors learn."""

    def __init__(self, tensors: Sequence[str], sizes: Sequence[int]) -> None:
        self._tensors, self._sizes = tuple(tensors), tuple(sizes)
        self._steps: list[IntArray] = []
        self._losses: list[FloatArray] = []
        self._rates: list[FloatArray] = []
        self._values: list[FloatArray] = []

    @classmethod
    def of(cls, weights: Sequence[Any]) -> _Recording:
        return cls([weight.path for weight in weights], [int(np.prod(weight.shape)) for weight in weights])

    def __len__(self) -> int:
        return sum(len(steps) for steps in self._steps)

    def add(self, steps: IntArray, losses: FloatArray, values: FloatArray, rate: float) -> None:
        self._steps.append(steps)
        self._losses.append(losses)
        self._rates.append(np.full(len(steps), rate))
        self._values.append(values)

    def gradient_norms(self) -> dict[str, float]:
        """Layer → the median of the norms of its gradient in the rows added last; NaN if one of them is no number."""
        squares = self._values[-1][:, :, TRACED.index("gradient")] ** 2
        layers = [_layer_of(path) for path in self._tensors]
        mine = {layer: [name == layer for name in layers] for layer in dict.fromkeys(layers)}
        return {layer: float(np.median(np.sqrt(squares[:, tensors].sum(axis=1)))) for layer, tensors in mine.items() if len(squares)}

    @property
    def bad(self) -> list[int]:
        """Updates measured whose loss or gradient was no number."""
        finite = TRACED.index("finite")
        return [
            int(step)
            for steps, losses, values in zip(self._steps, self._losses, self._values, strict=True)
            for step, loss, row in zip(steps, losses, values, strict=True)
            if not (math.isfinite(loss) and row[:, finite].all())
        ]

    def trace(self) -> Trace:
        layers = tuple(_layer_of(path) for path in self._tensors)
        none = np.empty(0)
        return Trace(
            np.concatenate([none.astype(np.int64), *self._steps]),
            np.concatenate([none, *self._losses]),
            np.concatenate([none, *self._rates]),
            self._tensors,
            layers,
            self._sizes,
            np.concatenate([np.empty((0, len(self._tensors), len(TRACED))), *self._values]),
        )


def _layer_of(path: str) -> str:
    """The layer of a tensor, and for the parts of an attention that.

    >>> _layer_of("dense_1/kernel"), _layer_of("lstm/lstm_cell/recurrent_kernel")
    ('dense_1', 'lstm')
    """
    return path.split("/")[0]
