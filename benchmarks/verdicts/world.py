"""A deployment that traffic can be drawn from: a published model, its reference, and what each row adds to the counts."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import onnxruntime

from benchmarks.verdicts.changes import Change, Rows
from models.store import Published
from monitoring.arrays import FloatArray, IntArray
from monitoring.reference import Reference, read_reference
from monitoring.signals.measure import QUALITY_CHECKS, Batch, quality
from monitoring.subject import Subject


@dataclass(frozen=True)
class Model:
    """A published variant with test rows, and what it answers to rows."""

    published: Published
    variant: str
    rows: Rows
    labels: IntArray
    ask: Callable[[Rows], tuple[FloatArray, FloatArray]]

    @classmethod
    def of(cls, published: Published, variant: str, rows: Rows, labels: IntArray) -> Model:
        session = onnxruntime.InferenceSession(published.path(variant), providers=["CPUExecutionProvider"])
        name = published.manifest.input.name

        def ask(asked: Rows) -> tuple[FloatArray, FloatArray]:
            probabilities, embeddings = session.run(["probabilities", "embedding"], {name: np.ascontiguousarray(asked, np.float32)})
            return probabilities, embeddings

        return cls(published, variant, rows.astype(np.float32), labels, ask)

    def batch(self, rows: Rows) -> Batch:
        return Batch(np.ascontiguousarray(rows, np.float32), *self.ask(rows))


@dataclass(frozen=True)
class Pool:
    """Rows that may come: what each adds to the counts (n, size), how often it comes (n,), what it was answered and what it is (n,)."""

    counts: FloatArray
    weights: FloatArray
    predicted: IntArray
    confidence: FloatArray
    actual: IntArray

    def draw(self, rows: int, rng: np.random.Generator) -> IntArray:
        return rng.choice(len(self.weights), rows, p=self.weights / self.weights.sum())


def make_pool(subject: Subject, batch: Batch, weights: FloatArray, actual: IntArray, repeats: bool = False) -> Pool:
    """Of rows that were answered; `repeats`: each is known as one that came before."""
    counts, repeated = np.zeros((len(batch), subject.layout.size)), np.array([repeats])
    for row in range(len(batch)):
        one = Batch(batch.inputs[row : row + 1], batch.outputs[row : row + 1], batch.embeddings[row : row + 1])
        parts = subject.layout.split(counts[row])
        for block, counted in subject.reference.count(one, subject.manifest.input, repeated).items():
            parts[block] += counted
        for check, failed in quality(one.inputs, subject.manifest.input, repeated).items():
            parts["quality"][QUALITY_CHECKS.index(check)] += failed
    return Pool(counts, weights, batch.outputs.argmax(axis=1), batch.outputs.max(axis=1), actual)


@dataclass(frozen=True)
class World:
    """One deployment: the rows of the reference, each with a weight of its own, since the world is not the sample that was taken of it."""

    model: Model
    subject: Subject
    weights: FloatArray
    before: Pool

    @classmethod
    def make(cls, model: Model, subject: Subject, rng: np.random.Generator) -> World:
        weights = rng.exponential(1.0, len(model.rows))
        return cls(model, subject, weights, make_pool(subject, model.batch(model.rows), weights, model.labels))

    def after(self, change: Change, rng: np.random.Generator) -> Pool:
        """The rows that may come once it has happened."""
        rows, labels = self.model.rows, self.model.labels
        batch = self.model.batch(change.send(rows, rng) if change.send else rows)
        weights = self.weights * (change.weigh(labels, rng) if change.weigh else 1.0)
        return make_pool(self.subject, batch, weights, change.relabel(labels, rng) if change.relabel else labels, change.repeats)


def profiled(model: Model) -> Subject:
    """The subject with its reference counted anew on the test rows, so that a model of any age will do."""
    taken, stored = model.published.manifest.input, read_reference(model.published.file("reference.npz"), model.variant)
    batch = model.batch(model.rows)
    reference = Reference.of(batch, taken, stored.fitted).explained(batch, taken, model.labels, model.ask)
    return Subject(model.published.manifest, model.variant, _calibrated(reference, stored, batch, model.labels))


def _calibrated(reference: Reference, stored: Reference, batch: Batch, labels: IntArray) -> Reference:
    if stored.calibration is None:
        return reference
    confusion = np.zeros_like(stored.calibration.confusion)
    np.add.at(confusion, (labels, batch.outputs.argmax(axis=1)), 1)
    return dataclasses.replace(reference, calibration=dataclasses.replace(stored.calibration, confusion=confusion))
