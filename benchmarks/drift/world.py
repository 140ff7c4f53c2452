"""What is watched: a variant of a published model, in a world of real images that are drawn again and again.

The held-back rows are the world. A deployment draws its reference from it, with replacement, as many rows as the version's own
reference has; then the traffic is drawn from it. So reference and traffic are independent draws of one and the same distribution, which is
what "no drift" means; every deployment has another sampling error in its reference.
"""

from __future__ import annotations

import dataclasses
from contextlib import nullcontext
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.predictor import Predictor
from benchmarks.shelf import unseen_rows
from models.store import Published
from monitoring.arrays import FloatArray, IntArray
from monitoring.drift.drill import Looked
from monitoring.drift.evidence import Streams
from monitoring.drift.streams import streams_of
from monitoring.reference import Reference
from monitoring.signals.measure import Batch
from monitoring.subject import Subject


@dataclass(frozen=True)
class Answered:
    """Rows (n,) that the variant has answered, as they are looked at."""

    batch: Batch
    looked: Looked

    @cached_property
    def signals(self) -> FloatArray:
        """The numeric signals, and each class as answered or not: (n, signals)."""
        values = [value for name, value in self.looked.values.items() if name != "class"]
        classes = np.eye(self.batch.outputs.shape[1])[self.batch.outputs.argmax(axis=1)]
        return np.column_stack([*values, classes])


@dataclass(frozen=True)
class World:
    """`subject` as it was published; `inputs` (n, …) and `labels` (n,) of the held-back rows; `clean`, what is answered to them."""

    subject: Subject
    predictor: Predictor
    inputs: NDArray[Any]
    labels: IntArray
    clean: Answered

    @classmethod
    def of(cls, published: Published, variant: str, most_rows: int, rng: np.random.Generator) -> World:
        subject = Subject.load(published, variant)
        predictor = Predictor(published.path(variant), subject.manifest.input, 1, nullcontext())
        inputs, labels = unseen_rows(published)
        chosen = rng.permutation(len(labels))[:most_rows]
        return cls(subject, predictor, inputs[chosen], labels[chosen], _answered(subject, predictor, inputs[chosen]))

    @property
    def name(self) -> str:
        return f"{self.subject.manifest.name} {self.subject.variant}"

    def answered(self, inputs: NDArray[Any]) -> Answered:
        return _answered(self.subject, self.predictor, inputs)

    def deploy(self, rng: np.random.Generator, rows: int = 0) -> Deployment:
        """A deployment with a reference of its own, of so many rows (without a number, as many as were published)."""
        drawn = rng.integers(0, len(self.labels), rows or self.subject.reference.rows)
        batch = self.clean.batch
        reference = Reference.of(
            Batch(batch.inputs[drawn], batch.outputs[drawn], batch.embeddings[drawn]),
            self.subject.manifest.input,
            dataclasses.replace(self.subject.reference.fitted, fourier=None),  # it is shown, and raises no alarm
        )
        subject = dataclasses.replace(self.subject, reference=reference)
        return Deployment(self, drawn, reference, streams_of(subject))


@dataclass(frozen=True)
class Deployment:
    """A server whose reference are the rows `drawn` (m,) of the world."""

    world: World
    drawn: IntArray
    reference: Reference
    streams: Streams

    def counts(self, answered: Answered) -> FloatArray:
        """What each row adds to the streams, (n, bins)."""
        return answered.looked.counts(self.reference.profiles, self.streams)

    @cached_property
    def clean(self) -> FloatArray:
        return self.counts(self.world.clean)


def _answered(subject: Subject, predictor: Predictor, inputs: NDArray[Any]) -> Answered:
    rows = np.ascontiguousarray(inputs, dtype=subject.manifest.input.dtype)
    answer = predictor.predict(rows)
    batch = Batch(rows, answer.outputs, answer.embedding)
    return Answered(batch, Looked.at(batch, subject.manifest.input, subject.reference.fitted))
